"use strict";
// The list of cases and what is seen of one. Every text of a model or user goes in as text, never as markup.

const ROWS_ON_A_PAGE = 25;
const WORDS = /[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu;
const ALIKE = 0.4; // the share of words in common from which on two texts read better as one with changes
const MOST_COMPARED = 4e6; // cells of the table that a diff takes
const OUTCOMES = { passed: "good", failed: "bad", errored: "none" };
const COUNTED = ["prompt", "model", "repeat", "counted", "outcome", "answer", "rung", "repairs", "reasons", "error", "fallback",
  "tries", "cached", "provider", "queue", "input", "output", "cost", "started", "called"];
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

function time(ms) {
  if (ms === null) return "";
  if (ms >= 999.5) return (ms / 1000).toFixed(1) + " s";
  return (ms >= 9.95 ? ms.toFixed(0) : ms.toFixed(2)) + " ms";
}

function money(dollars) {
  if (dollars === null) return "";
  if (dollars === 0) return "$0";
  return dollars < 1e-8 ? "<$0.00000001" : "$" + Number(dollars.toPrecision(2)).toFixed(dollars < 0.001 ? 8 : 5).replace(/0+$/, "");
}

const words = (text) => text.match(WORDS) || [];

function compared(before, after) {
  // Which words of two lists both have, in their order (the longest common subsequence); null where that takes too long, or
  // where they have so little in common that they read better as they are.
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start++;
  let end = 0;
  while (end < before.length - start && end < after.length - start && before[before.length - 1 - end] === after[after.length - 1 - end]) end++;
  const a = before.slice(start, before.length - end);
  const b = after.slice(start, after.length - end);
  if (a.length * b.length > MOST_COMPARED) return null;
  const width = b.length + 1;
  const lengths = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      lengths[i * width + j] = a[i] === b[j] ? lengths[(i + 1) * width + j + 1] + 1 : Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
  if (2 * (lengths[0] + start + end) < ALIKE * (before.length + after.length)) return null;
  const common = { before: new Set(), after: new Set() };
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    if (a[i] === b[j]) { common.before.add(start + i++); common.after.add(start + j++); }
    else if (lengths[(i + 1) * width + j] >= lengths[i * width + j + 1]) i++;
    else j++;
  }
  const same = (list, known) => list.map((_, place) => place < start || place >= list.length - end || known.has(place));
  return { before: same(before, common.before), after: same(after, common.after) };
}

function marked(text, same, tone) {
  // The text as nodes, the words that the other lacks in elements, with the spaces between them.
  const nodes = [];
  let [number, from, other] = [0, 0, null];
  const close = (until) => {
    if (other) nodes.push(...texts(text.slice(from, other.start)), make("mark", { class: tone }, ...texts(text.slice(other.start, other.end))));
    from = other ? other.end : from;
    other = null;
    if (until) nodes.push(...texts(text.slice(from)));
  };
  for (const word of text.matchAll(WORDS)) {
    if (same[number++]) close(false);
    else other = { start: other ? other.start : word.index, end: word.index + word[0].length };
  }
  close(true);
  return nodes;
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
    const { texts: all, cases } = await this.packs.get(pack);
    return { all, item: cases[number - start] };
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
    const { all, item } = await this.read(number);
    if (this.shown !== row) return;
    const model = index.model[row];
    const attempts = item.attempts.map((values) => Object.fromEntries(COUNTED.map((name, place) => [name, values[place]])));
    this.view = { all, item, model, attempts: attempts.filter((attempt) => attempt.model === model), chosen: {} };
    for (const attempt of this.view.attempts) {
      const before = this.view.chosen[attempt.prompt];
      if (!before || (before.outcome !== "failed" && attempt.outcome === "failed")) this.view.chosen[attempt.prompt] = attempt;
    }
    const state = index.states[index.state[row]];
    const tags = [...(index.critical[number] ? ["critical"] : []), ...index.tagged[number].map((tag) => index.tags[tag]).filter((tag) => tag !== "critical")];
    this.expected = item.expected.length ? make("pre", { tabindex: "0" }, ...texts(all[item.expected[0]])) : null;
    this.answers = make("div", { class: "answers" });
    this.attempts = make("div", { class: "scroll attempts", tabindex: "0", role: "group", "aria-label": "Attempts" });
    this.detail.replaceChildren(
      bar,
      make("h4", {}, ...texts(oneLine(index.names[number]))),
      make("div", { class: "bar" }, make("span", { class: "tag " + (this.index.tones[state] || "quiet") }, state),
        make("span", { class: "small" }, oneLine(index.models[model])), ...tags.map((tag) => make("span", { class: "tag quiet" }, oneLine(tag)))),
      this.variables(),
      ...(this.expected ? [make("h5", {}, "Expected"), this.expected] : []),
      this.answers,
      make("h5", {}, "Every attempt"), this.attempts,
      ...this.asked(),
      ...item.was.flatMap((text) => this.folded("A logged answer that is wrong", all[text])));
    this.detail.scrollTop = 0;
    this.compare();
  }

  variables() {
    const { item, all } = this.view;
    return make("dl", { class: "said" }, ...item.vars.flatMap(([name, value]) =>
      [make("dt", {}, ...texts(oneLine(all[name]))), make("dd", {}, make("pre", { tabindex: "0" }, ...texts(all[value])))]));
  }

  folded(title, text) {
    return [make("details", {}, make("summary", {}, title), make("pre", { tabindex: "0" }, ...texts(text)))];
  }

  prompt(number) {
    const prompt = this.index.prompts[number];
    return prompt ? `${oneLine(prompt[0])} (${prompt[1] === "champion" ? "production" : prompt[1]})` : "own model";
  }

  asked() {
    const { item, all, attempts } = this.view;
    return Object.entries(item.asked).filter(([prompt]) => attempts.some((attempt) => attempt.prompt === Number(prompt))).map(([prompt, messages]) =>
      make("details", {}, make("summary", {}, `Messages of ${this.prompt(Number(prompt))}`),
        ...messages.flatMap(([role, text]) => [make("h5", {}, role), make("pre", { tabindex: "0" }, ...texts(all[text]))])));
  }

  compare() {
    // The answers side by side, production's first, and the attempts to choose them from.
    const { item, all, chosen, attempts } = this.view;
    const rank = (number) => (number < 0 ? 3 : this.index.prompts[number][1] === "champion" ? 0 : this.index.best.includes(number) ? 1 : 2);
    const prompts = Object.keys(chosen).map(Number).sort((a, b) => rank(a) - rank(b) || a - b);
    const said = prompts.map((number) => (chosen[number].answer === null ? null : all[chosen[number].answer]));
    const bodies = said.map((text) => (text === null ? ["no answer"] : texts(text)));
    // Beside production's answer, or else beside what was expected.
    const produced = rank(prompts[0]) === 0 && said[0] !== null;
    const [base, outcome] = produced ? [said[0], chosen[prompts[0]].outcome] : [this.expected ? all[item.expected[0]] : null, "passed"];
    let wanted = null;
    for (let place = produced ? 1 : 0; base !== null && place < prompts.length; place++) {
      const ours = chosen[prompts[place]].outcome;
      if (said[place] === null || (!produced && ours === "passed")) continue;
      const found = compared(words(base), words(said[place]));
      if (!found) continue;
      // What is right is green and what is wrong red; where both are the one or the other, neither.
      const tone = (of) => (outcome === ours ? "none" : OUTCOMES[of] || "none");
      wanted ??= marked(base, found.before, tone(outcome));
      bodies[place] = marked(said[place], found.after, tone(ours));
    }
    if (produced) bodies[0] = wanted || bodies[0];
    else this.expected?.replaceChildren(...(wanted || texts(base)));
    this.answers.replaceChildren(...prompts.map((number, place) => {
      const attempt = chosen[number];
      const reasons = [...attempt.reasons.map((text) => all[text]), ...(attempt.error === null ? [] : [all[attempt.error]])];
      return make("div", {},
        make("h5", {}, this.prompt(number)),
        make("div", { class: "bar" }, make("span", { class: "tag " + (OUTCOMES[attempt.outcome] || "quiet") }, attempt.outcome),
          make("span", { class: "small" }, [`attempt ${attempt.repeat + 1}`, attempt.rung ? "format " + attempt.rung.replace("_", " ") : "", ...attempt.repairs].filter(Boolean).join(" · "))),
        ...attempt.called.map((line) => make("p", { class: "small" }, ...texts(all[line]))),
        make("pre", { tabindex: "0", "aria-label": "Answer" }, ...bodies[place]),
        ...reasons.map((reason) => make("p", { class: "reason" }, ...texts(reason))));
    }));
    const heads = ["", "prompt", "outcome", "format", "time", "queue", "tokens", "cost", "why", "repairs"];
    const order = [...attempts].sort((a, b) => rank(a.prompt) - rank(b.prompt) || a.prompt - b.prompt || a.repeat - b.repeat);
    this.attempts.replaceChildren(make("table", {},
      make("thead", {}, make("tr", {}, ...heads.map((head) => (head ? make("th", { scope: "col" }, head) : make("td"))))),
      make("tbody", {}, ...order.map((attempt) => this.attempt(attempt, chosen[attempt.prompt] === attempt)))));
  }

  attempt(attempt, chosen) {
    const { all } = this.view;
    const choose = () => {
      this.view.chosen[attempt.prompt] = attempt;
      this.compare();
      this.attempts.querySelector(`[data-key="${attempt.prompt}/${attempt.repeat}"]`).focus();
    };
    const why = [...attempt.reasons.map((text) => all[text]), ...(attempt.error === null ? [] : [all[attempt.error]])].join("; ");
    const notes = [attempt.counted ? "" : "asked again", attempt.cached ? "cached" : "", attempt.tries > 1 ? `${attempt.tries} tries` : "", attempt.fallback ? `by ${attempt.fallback}` : ""];
    const name = this.prompt(attempt.prompt);
    return make("tr", {},
      make("td", {}, make("button", { type: "button", "aria-pressed": String(chosen), "data-key": `${attempt.prompt}/${attempt.repeat}`, "aria-label": `Show attempt ${attempt.repeat + 1} of ${name}`, onclick: choose }, String(attempt.repeat + 1))),
      make("td", {}, name),
      make("td", {}, [attempt.outcome, ...notes].filter(Boolean).join(", ")),
      make("td", {}, attempt.rung ? attempt.rung.replace("_", " ") : ""),
      make("td", { class: "n" }, time(attempt.provider)),
      make("td", { class: "n" }, attempt.provider === null ? "" : time(attempt.queue)),
      make("td", { class: "n" }, attempt.input === null ? "" : `${attempt.input} + ${attempt.output}`),
      make("td", { class: "n" }, money(attempt.cost)),
      make("td", { class: "why" }, oneLine(why.slice(0, 300))),
      make("td", {}, attempt.repairs.join(", ")));
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
