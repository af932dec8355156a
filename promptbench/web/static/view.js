// Keys, the theme, and what a page needs where a link or a form is not enough. Every key is in KEYS, which is also the help.

const KEYS = new Map([
  ["j", ["next case or entry", () => step(1)]],
  ["k", ["previous case or entry", () => step(-1)]],
  ["h", ["column to the left", () => slide(-1)]],
  ["l", ["column to the right", () => slide(1)]],
  ["Enter", ["open it", null]],
  ["Escape", ["back to the list, or out of a field", back]],
  ["d", ["differences on or off", () => press("[data-key=d]")]],
  ["o", ["only changed cases, or all", () => press("[data-key=o]")]],
  ["g", ["group by cause", () => press("[data-key=g]")]],
  ["1", ["review: right, or yes", () => press("[data-key='1']")]],
  ["2", ["review: wrong, or no", () => press("[data-key='2']")]],
  ["3", ["review: should be …, or yes with a change", () => press("[data-key='3']")]],
  ["c", ["review: remark", () => press("[data-key=c]")]],
  ["u", ["review: back to the last one", () => press("[data-key=u]")]],
  ["n", ["review: next without a mark", () => press("[data-key=n]")]],
  ["/", ["search", () => document.querySelector("[type=search]")?.focus()]],
  ["?", ["these keys", () => document.getElementById("help").showModal()]],
]);
const ARROWS = { ArrowDown: "j", ArrowUp: "k", ArrowLeft: "h", ArrowRight: "l" };

const rows = () => [...document.querySelectorAll("[data-row]")];

function step(by) {
  const next = document.querySelector(by > 0 ? "[rel=next]" : "[rel=prev]");
  const found = rows();
  if (!found.length) return next?.click();
  const now = found.findIndex((row) => row.contains(document.activeElement));
  const row = found[Math.max(0, Math.min(found.length - 1, now + by))];
  row.querySelector("a, button")?.focus();
  row.scrollIntoView({ block: "nearest" });
}

function slide(by) {
  const frame = document.querySelector(".matrix");
  if (frame) frame.scrollBy({ left: by * 288 });
}

function press(selector) {
  const found = document.querySelector(selector);
  if (found?.matches("input, textarea")) found.focus();
  else found?.click();
}

function back() {
  const active = document.activeElement;
  if (active?.matches("input, textarea, select")) return active.blur();
  document.querySelector("[data-back]")?.click();
}

addEventListener("keydown", (event) => {
  const active = document.activeElement;
  const writes = active?.matches("input, textarea, select, [contenteditable]");
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (writes && event.key !== "Escape") return;
  // Arrow keys scroll a page, and move only in a list that has the focus.
  const key = rows().some((row) => row.contains(active)) ? ARROWS[event.key] ?? event.key : event.key;
  const action = KEYS.get(key)?.[1];
  if (!action) return;
  event.preventDefault();
  action();
});

const list = document.querySelector("#help dl");
for (const [key, [text]] of KEYS) {
  const [term, about] = [document.createElement("dt"), document.createElement("dd")];
  term.append(Object.assign(document.createElement("kbd"), { textContent: key }));
  about.textContent = text;
  list.append(term, about);
}
document.getElementById("keys").addEventListener("click", KEYS.get("?")[1]);

const theme = document.getElementById("theme");
const dark = () => (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
const show = () => { theme.textContent = dark() ? "Light" : "Dark"; };
const chosen = localStorage.getItem("theme");
if (chosen) document.documentElement.dataset.theme = chosen;
theme.addEventListener("click", () => {
  document.documentElement.dataset.theme = dark() ? "light" : "dark";
  localStorage.setItem("theme", document.documentElement.dataset.theme);
  show();
});
show();

// A table that has all its rows is sorted here; a list with pages by the server.
for (const table of document.querySelectorAll(".attempts table")) {
  const [heads, body] = [[...table.tHead.rows[0].cells], table.tBodies[0]];
  heads.forEach((head, at) => {
    const value = (row) => row.cells[at].dataset.value ?? row.cells[at].textContent.trim();
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: head.textContent });
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const compare = (one, other) => (isNaN(one - other) ? one.localeCompare(other) : one - other);
      body.append(...[...body.rows].sort((one, other) => compare(value(one), value(other)) * (down ? -1 : 1)));
    });
    head.replaceChildren(button);
  });
}

// A request that reaches no server would otherwise do nothing. One that a newer request replaced is not lost.
addEventListener("htmx:error", ({ detail }) => {
  if (!(detail.error instanceof TypeError) || document.getElementById("lost")) return;
  const lost = Object.assign(document.createElement("p"), { id: "lost", className: "tag wrap bad" });
  lost.setAttribute("role", "alert");
  document.querySelector(".top").append(lost); // Sticky, so it is seen wherever the page is.
  lost.textContent = "The server does not answer: is `promptbench view` still running in the terminal? What you typed is still here.";
});
addEventListener("htmx:after:swap", () => document.getElementById("lost")?.remove());
