// The little that HTML and htmx leave over: copying, forgetting secrets, saying outcomes.
"use strict";

const live = () => document.getElementById("live");
let hide;

// `shown`: for the eye too. What the page shows anyway is said to the ear alone.
function say(sentence, shown = true) {
  const region = live();
  if (!region) return;
  region.classList.toggle("visually-hidden", !shown);
  region.textContent = sentence;
  clearTimeout(hide);
  hide = setTimeout(() => { region.textContent = ""; }, 6000);
}

// Plain HTTP has no navigator.clipboard: there the old way still works.
async function copy(text) {
  if (navigator.clipboard && window.isSecureContext) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch { /* Denied: try the old way. */ }
  }
  const scratch = document.createElement("textarea");
  scratch.value = text;
  scratch.setAttribute("readonly", "");
  scratch.className = "visually-hidden";
  document.body.append(scratch);
  scratch.select();
  let done = false;
  try {
    done = document.execCommand("copy");
  } finally {
    scratch.remove();
  }
  return done;
}

async function onCopy(button) {
  const source = document.querySelector(button.dataset.copy);
  const text = "value" in source ? source.value : source.textContent;
  const done = await copy(text);
  button.focus();
  if (done) {
    button.textContent = "Copied";
    say("Copied.", false);
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  } else {
    if (source.select) source.select();
    else window.getSelection().selectAllChildren(source);
    say("Copying failed. Select the text and copy it by hand.");
  }
}

document.addEventListener("click", (event) => {
  const copier = event.target.closest("[data-copy]");
  if (copier) onCopy(copier);

  // The form is in the page already: it opens at once. Without JavaScript it is a page of its own.
  const opener = event.target.closest("[data-open]");
  const form = opener && document.querySelector(opener.dataset.open);
  if (form) {
    event.preventDefault();
    form.hidden = false;
    // A list of one project's keys is where its next one belongs.
    const filtered = document.querySelector(".filters [name=project]");
    const project = form.querySelector("[name=project]");
    if (filtered && filtered.value && project.value !== filtered.value) {
      project.value = filtered.value;
      project.dispatchEvent(new Event("change", { bubbles: true }));
    }
    form.querySelector("input:not([type=hidden])").focus();
  }

  const chip = event.target.closest("[data-fill]");
  if (chip) {
    const field = document.querySelector(chip.dataset.for);
    field.value = chip.dataset.fill;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }

  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

// A key that was pasted into a filter, to look for it: what is asked for is its hint.
const KEY = /(compass_(?:sa|pat)_[0-9A-Za-z]{4})[0-9A-Za-z]{38}([0-9A-Za-z]{4})/g;
function hideKeys(form) {
  for (const input of form.querySelectorAll("input")) {
    const hidden = input.value.replace(KEY, "$1…$2");
    if (hidden !== input.value) input.value = hidden;
  }
}
document.addEventListener("htmx:configRequest", (event) => {
  const form = event.target.closest(".filters");
  if (!form) return;
  hideKeys(form);
  for (const [name, value] of new FormData(form)) event.detail.parameters[name] = value;
});

// What is typed into the filters counts for an export too, before the list has followed.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-with]");
  const form = link && document.querySelector(link.dataset.with);
  if (!form) return;
  hideKeys(form);
  const given = [...new FormData(form)].filter(([, value]) => value);
  link.search = new URLSearchParams(given).toString();
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

document.addEventListener("focusin", (event) => {
  if (event.target.matches("input[data-secret]")) event.target.select();
});

// A secret must not come back with the Back button, from whatever the browser keeps of a page.
window.addEventListener("pagehide", () => {
  for (const element of document.querySelectorAll("[data-secret]")) {
    if ("value" in element) {
      element.value = "";
      element.removeAttribute("value");
    } else {
      element.textContent = "";
    }
  }
});
window.addEventListener("pageshow", (event) => {
  if (event.persisted && document.querySelector("[data-secret]")) window.location.reload();
});

// The editor of a document: its lines are numbered, and the first wrong one is selected.
function number(area) {
  const gutter = area.parentElement.querySelector(".gutter");
  const lines = area.value.split("\n").length;
  gutter.textContent = Array.from({ length: lines }, (_, at) => at + 1).join("\n");
  gutter.scrollTop = area.scrollTop;
}
function selectLine(line) {
  const area = document.querySelector("textarea[data-lines]");
  const rows = area.value.split("\n");
  const start = rows.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
  area.focus();
  area.setSelectionRange(start, start + (rows[line - 1] || "").length);
  area.scrollTop = Math.max(0, line - 4) * parseFloat(getComputedStyle(area).lineHeight);
  area.scrollLeft = 0;
}
function openEditor() {
  const area = document.querySelector("textarea[data-lines]");
  if (!area) return;
  number(area);
  const first = document.querySelector("[data-line]");
  if (first) area.setAttribute("aria-invalid", "true");
  else area.removeAttribute("aria-invalid");
  if (first) selectLine(Number(first.dataset.line));
}
for (const event of ["input", "scroll"]) {
  document.addEventListener(event, ({ target }) => {
    if (target.matches && target.matches("textarea[data-lines]")) number(target);
  }, true);
}
document.addEventListener("click", ({ target }) => {
  if (target.matches("[data-line]")) selectLine(Number(target.dataset.line));
});
document.addEventListener("htmx:afterSettle", openEditor);
openEditor();

document.addEventListener("announce", (event) => say(event.detail.sentence, event.detail.shown));
document.addEventListener("htmx:responseError", (event) => {
  const status = event.detail.xhr.status;
  const page = new DOMParser().parseFromString(event.detail.xhr.responseText, "text/html");
  const words = page.querySelector("[data-error]");
  say(words ? words.textContent.trim() : `That did not work (${status}). Reload the page and try again.`);
});
document.addEventListener("htmx:sendError", () => {
  say("The server can't be reached. Check the connection and try again.");
});
