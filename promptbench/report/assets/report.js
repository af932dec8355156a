"use strict";
// The list of cases. A case itself is HTML from the templates of the page.

const ROWS_ON_A_PAGE = 25;
// What would be invisible, or would turn the text around it: controls, marks of direction, half pairs.
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

const HALVES = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g; // no address can hold one

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function texts(text) {
  // The nodes of a foreign text, with a sign for each character that would not be seen.
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(HIDDEN)) {
    const code = match[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, "0");
    nodes.push(text.slice(from, match.index), make("span", { class: "ctl" }, "U+" + code));
    from = match.index + match[0].length;
  }
  nodes.push(text.slice(from));
  return nodes;
}

const oneLine = (text) => text.replace(/\s+/g, " ").replace(HIDDEN, "\ufffd");

async function unpack(id) {
  const packed = document.getElementById(id).textContent;
  const bytes = Uint8Array.from(atob(packed), (char) => char.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

class Explorer {
  constructor(place, element) {
    this.place = place;
    this.element = element;
    this.packs = new Map();
    this.chosen = {};
  }

  async start() {
    this.index = await unpack(`data-${this.place}-index`);
    const index = this.index;
    index.lower = index.names.map((name) => name.toLowerCase());
    index.addresses = index.names.map((name) => name.replace(HALVES, "\ufffd"));
    // The states come in the order in which they want a look.
    const known = Object.keys(index.tones);
    const rank = index.states.map((state) => (known.includes(state) ? known.indexOf(state) : known.length));
    // What is judged comes first, then what wants a look, then the suite's order.
    this.order = Array.from(index.case.keys()).sort((a, b) =>
      index.judged[index.model[b]] - index.judged[index.model[a]] || rank[index.state[a]] - rank[index.state[b]] || a - b);
    this.build();
    this.built = true;
  }

  build() {
    const index = this.index;
    const sorted = [...Object.keys(index.tones).filter((state) => index.states.includes(state)), ...index.states.filter((state) => !(state in index.tones))];
    this.controls = {
      q: make("input", { type: "search", placeholder: "name of a case", "data-search": true }),
      state: this.select(sorted),
      model: this.select(index.models),
      tag: this.select([...index.tags].sort()),
      rung: this.select(index.rungs.filter((_, number) => index.rung.includes(number)), (rung) => rung.replace("_", " ")),
    };
    const labels = { q: "Search", state: "State", model: "Model", tag: "Tag", rung: "Worst format" };
    const filters = make("form", { class: "filters", role: "search", onsubmit: (event) => event.preventDefault() });
    for (const [name, control] of Object.entries(this.controls)) {
      control.addEventListener(name === "q" ? "input" : "change", () => go({ ...current(), run: String(this.place), [name]: control.value, page: "", case: "", on: "" }, true));
      const label = make("label", { class: name === "q" ? "search" : "" }, labels[name], control);
      label.hidden = control.options !== undefined && control.options.length < 3;
      filters.append(label);
    }
    this.rows = make("tbody");
    this.head = make("tr");
    this.count = make("span", { class: "small", role: "status" });
    this.previous = make("button", { type: "button", onclick: () => this.turn(-1) }, "Previous");
    this.next = make("button", { type: "button", onclick: () => this.turn(1) }, "Next");
    this.detail = make("article", { class: "detail", tabindex: "-1", "aria-label": "Case", hidden: true });
    const list = make("div", { class: "list" },
      make("table", {}, make("caption", { hidden: true }, "Cases"), make("thead", {}, this.head), this.rows),
      make("div", { class: "pages" }, this.previous, this.next, this.count));
    this.panes = make("div", { class: "panes" }, list, this.detail);
    this.element.replaceChildren(filters, this.panes);
    this.compares = index.wasOf.some((number) => number > 0);
    const heads = { state: "State", case: "Case", model: "Model", passes: "Passes", before: "Production", rung: "Format" };
    for (const [name, title] of Object.entries(heads)) this.head.append(make("th", { scope: "col", class: name }, title));
  }

  select(values, shown = (value) => value) {
    return make("select", {}, make("option", { value: "" }, "all"), ...values.map((value) => make("option", { value }, oneLine(shown(value)))));
  }

  apply(wanted) {
    // Shows what the address asks for.
    for (const [name, control] of Object.entries(this.controls))
      if (control.value !== (wanted[name] || "")) control.value = wanted[name] || "";
    const filter = ["q", "state", "model", "tag", "rung"].map((name) => wanted[name] || "").join("\n");
    if (filter !== this.filter) {
      this.filter = filter;
      this.found = this.matching(wanted);
    }
    const open = wanted.case ? this.find(wanted) : -1;
    const page = open >= 0 && this.found.includes(open) ? Math.floor(this.found.indexOf(open) / ROWS_ON_A_PAGE) : Number(wanted.page || 1) - 1;
    this.page = Math.max(0, Math.min(page, Math.ceil(this.found.length / ROWS_ON_A_PAGE) - 1)) || 0;
    this.open = open;
    this.list(wanted);
    this.show(open, Boolean(wanted.case));
  }

  matching(wanted) {
    const index = this.index;
    const [state, model, tag] = [index.states.indexOf(wanted.state), index.models.indexOf(wanted.model), index.tags.indexOf(wanted.tag)];
    const rung = index.rungs.indexOf(wanted.rung);
    const words = (wanted.q || "").toLowerCase();
    return this.order.filter((row) => {
      const number = index.case[row];
      return (!wanted.state || index.state[row] === state) && (!wanted.model || index.model[row] === model) &&
        (!wanted.rung || index.rung[row] === rung) && (!wanted.tag || index.tagged[number].includes(tag)) &&
        (!words || index.lower[number].includes(words));
    });
  }

  find(wanted) {
    const index = this.index;
    const number = index.addresses.indexOf(wanted.case);
    const rows = this.order.filter((row) => index.case[row] === number);
    const on = index.models.indexOf(wanted.on || wanted.model);
    return rows.find((row) => index.model[row] === on) ?? rows[0] ?? -1;
  }

  list(wanted) {
    const index = this.index;
    const start = this.page * ROWS_ON_A_PAGE;
    const shown = this.found.slice(start, start + ROWS_ON_A_PAGE);
    const several = index.models.length > 1;
    this.head.querySelector(".model").hidden = !several;
    this.head.querySelector(".before").hidden = !this.compares;
    this.rows.replaceChildren(...shown.map((row) => {
      const state = index.states[index.state[row]];
      const [name, model] = [index.names[index.case[row]], index.models[index.model[row]]];
      const link = make("a", { href: "#" + address({ ...wanted, run: String(this.place), case: name, on: several ? model : "", page: "" }) }, ...texts(oneLine(name)));
      return make("tr", { "aria-current": row === this.open ? "true" : null },
        make("td", { class: "state" }, make("span", { class: "tag " + (this.index.tones[state] || "quiet") }, state)),
        make("td", { class: "case" }, link),
        make("td", { class: "model", hidden: !several }, oneLine(model)),
        make("td", { class: "passes" }, `${index.now[row]}/${index.nowOf[row]}`),
        make("td", { class: "before", hidden: !this.compares }, index.wasOf[row] ? `${index.was[row]}/${index.wasOf[row]}` : ""),
        make("td", { class: "rung" }, index.rung[row] < 0 ? "" : index.rungs[index.rung[row]].replace("_", " ")));
    }));
    const count = this.found.length;
    this.count.textContent = count ? `${(start + 1).toLocaleString("en")}–${(start + shown.length).toLocaleString("en")} of ${count.toLocaleString("en")}` : "no case is like that";
    this.previous.disabled = this.page === 0;
    this.next.disabled = start + shown.length >= count;
    this.previous.hidden = this.next.hidden = count <= ROWS_ON_A_PAGE;
  }

  turn(by) {
    go({ ...current(), run: String(this.place), page: String(this.page + 1 + by), case: "", on: "" });
  }

  step(by) {
    // The case before or after the one that is open.
    if (!this.found.length) return;
    const at = this.found.indexOf(this.open);
    const row = this.found[at < 0 ? this.page * ROWS_ON_A_PAGE : Math.max(0, Math.min(this.found.length - 1, at + by))];
    const index = this.index;
    go({ ...current(), run: String(this.place), case: index.names[index.case[row]], on: index.models[index.model[row]], page: "" }, true);
    this.rows.querySelector("[aria-current] a")?.scrollIntoView({ block: "nearest" });
  }

  close() {
    const row = this.open;
    go({ ...current(), case: "", on: "", page: String(this.page + 1) });
    const at = this.found.slice(this.page * ROWS_ON_A_PAGE).indexOf(row);
    (this.rows.children[at]?.querySelector("a") || this.controls.q).focus();
  }

  async read(number) {
    let pack = 0;
    let start = 0;
    while (number >= start + this.index.packs[pack]) start += this.index.packs[pack++];
    if (!this.packs.has(pack)) this.packs.set(pack, unpack(`data-${this.place}-${pack}`));
    return (await this.packs.get(pack))[number - start];
  }

  async show(row, wanted) {
    this.panes.classList.toggle("open", wanted);
    this.detail.hidden = !wanted;
    if (!wanted) { this.shown = undefined; return; }
    if (row === this.shown) return;
    this.shown = row;
    const bar = make("div", { class: "bar steps" },
      make("button", { type: "button", onclick: () => this.close() }, "Back to the list"),
      make("button", { type: "button", onclick: () => this.step(-1), disabled: this.found.indexOf(row) < 1 }, "Previous case"),
      make("button", { type: "button", onclick: () => this.step(1), disabled: this.found.indexOf(row) === this.found.length - 1 }, "Next case"));
    if (row < 0) {
      this.detail.replaceChildren(bar, make("p", {}, "There is no such case in this run."));
      return;
    }
    const index = this.index;
    const number = index.case[row];
    const body = make("template", {});
    body.innerHTML = await this.read(number); // written by the same templates as the page, every text in it escaped
    if (this.shown !== row) return;
    const model = oneLine(index.models[index.model[row]]);
    const parts = [...body.content.querySelectorAll("[data-model]")];
    if (parts.some((part) => part.dataset.model === model)) for (const part of parts) part.hidden = part.dataset.model !== model;
    const state = index.states[index.state[row]];
    const tags = [...(index.critical[number] ? ["critical"] : []), ...index.tagged[number].map((tag) => index.tags[tag]).filter((tag) => tag !== "critical")];
    this.detail.replaceChildren(
      bar,
      make("h4", {}, ...texts(oneLine(index.names[number]))),
      make("div", { class: "bar" }, make("span", { class: "tag " + (index.tones[state] || "quiet") }, state),
        make("span", { class: "small" }, model), ...tags.map((tag) => make("span", { class: "tag quiet" }, oneLine(tag)))),
      body.content);
    this.detail.scrollTop = 0;
  }
}

// -- the address, the keys and the buttons --------------------------------------------------------------------------

const explorers = new Map();
const runs = [...document.querySelectorAll(".run")];

const current = () => Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
const address = (wanted) => new URLSearchParams(Object.entries(wanted).filter(([name, value]) => value && !(name === "run" && runs.length < 2))).toString();

function go(wanted, quietly = false) {
  const hash = "#" + address(wanted);
  if (hash === location.hash) return;
  if (quietly) history.replaceState(null, "", hash);
  else history.pushState(null, "", hash);
  arrive();
}

function place() {
  const number = Number(current().run || 0);
  return runs[number] ? number : 0;
}

function arrive(event) {
  const wanted = current();
  const at = place();
  runs.forEach((run, number) => { run.hidden = number !== at; });
  document.querySelectorAll(".suites a").forEach((link, number) => {
    if (number === at) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  });
  const element = runs[at]?.querySelector(".explorer");
  if (!element) return;
  const explorer = explorers.get(at);
  if (!explorer) {
    explorers.set(at, new Explorer(at, element));
    explorers.get(at).start().then(() => arrive(event), (error) => element.replaceChildren(make("p", {}, `This browser cannot show the list of cases: ${error.message}`)));
    return;
  }
  if (!explorer.built || explorer.place !== place()) return;
  explorer.apply(wanted);
  const filtered = wanted.case || wanted.state || wanted.tag || wanted.model || wanted.rung || wanted.q;
  if (event && filtered) {
    const target = wanted.case ? explorer.detail : element;
    if (event.type === "hashchange" && wanted.case) explorer.detail.focus({ preventScroll: true });
    const box = target.getBoundingClientRect();
    if (box.top < 0 || box.top > innerHeight * 0.6) element.scrollIntoView({ block: "start" });
  }
  document.documentElement.dataset.ready = "yes";
}

const dialog = make("dialog", { "aria-label": "Keys" },
  make("h2", {}, "Keys"),
  make("dl", {}, ...[["j k", "next and previous case"], ["Enter", "read the open case"], ["/", "search"], ["Escape", "close the case, then leave the search"], ["?", "these keys"]].flatMap(([keys, words]) =>
    [make("dt", {}, ...keys.split(" ").flatMap((key) => [make("kbd", {}, key), " "])), make("dd", {}, words)])),
  make("button", { type: "button", onclick: () => dialog.close() }, "Close"));
document.body.append(dialog);

document.addEventListener("keydown", (event) => {
  const explorer = explorers.get(place());
  if (event.ctrlKey || event.metaKey || event.altKey || dialog.open || !explorer?.built) return;
  const typing = event.target.matches("input, select, textarea");
  if (event.key === "Escape") {
    if (explorer.open >= 0 || !explorer.detail.hidden) explorer.close();
    else event.target.blur();
  } else if (typing) return;
  else if (event.key === "j") explorer.step(1);
  else if (event.key === "k") explorer.step(-1);
  else if (event.key === "Enter" && !explorer.detail.hidden && event.target === document.body) explorer.detail.focus();
  else if (event.key === "?") dialog.showModal();
});
document.addEventListener("keydown", (event) => {
  // At once, or the key itself would be typed.
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
  const search = runs[place()]?.querySelector("[data-search]");
  if (search) { event.preventDefault(); search.focus(); search.scrollIntoView({ block: "center" }); }
});

const keys = document.getElementById("keys");
keys.hidden = !document.querySelector(".explorer");
keys.addEventListener("click", () => dialog.showModal());
const theme = document.getElementById("theme");
const dark = () => (document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
const name = () => { theme.textContent = dark() ? "Light" : "Dark"; };
theme.hidden = false;
theme.addEventListener("click", () => { document.documentElement.dataset.theme = dark() ? "light" : "dark"; name(); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", name);
name();

addEventListener("hashchange", arrive);
addEventListener("popstate", (event) => { if (event.state === null) arrive(); });
arrive(new Event("load"));
