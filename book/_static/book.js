// What the page says, in its language: a translated edition loads `words` before this file,
// an object from the English text to its own. `say("{0} of {1}", 3, 5)` fills in values.
window.say = (text, ...values) =>
  (window.words?.[text] ?? text).replace(/\{(\d)\}/g, (_, index) => values[index]);

// A page opened from the disk may not fetch other pages, and the search would, to show
// where each of its results comes from. It shows their titles then.
if (location.protocol === "file:") {
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
}

// What the search says, and what it shows of a page: the first paragraph with a word that
// was sought, not the buttons and the contents at the page's top.
Object.assign(Documentation.TRANSLATIONS, {
  "Search finished, found ${resultCount} page(s) matching the search query.":
    say("Results: ${resultCount}"),
  "Your search did not match any documents. Please make sure that all words are spelled correctly and that you've selected enough categories.":
    say("Nothing found. Are all words spelled correctly?"),
});
const summarize = (html, words, anchor) => {
  const page = new DOMParser().parseFromString(html, "text/html").querySelector("article");
  page.querySelectorAll(".headerlink, .onlyprint, nav, annotation").forEach((part) => part.remove());
  let part = (anchor && page.querySelector(anchor)) || page;
  if (part.matches("dt")) part = part.nextElementSibling; // what the word means
  const find = (text) => Math.max(-1, ...[...words].map((word) => text.toLowerCase().indexOf(word)));
  const paragraphs = [...part.querySelectorAll("p, li, td"), ...part.querySelectorAll("pre")];
  const text = (paragraphs.find((each) => find(each.textContent) >= 0) ?? part).textContent.trim();
  const start = text.lastIndexOf(" ", Math.max(0, find(text) - 100)) + 1;
  const end = start + 240 < text.length ? text.lastIndexOf(" ", start + 240) : text.length;
  const summary = document.createElement("p");
  summary.className = "context";
  summary.textContent = (start ? "… " : "") + text.slice(start, end) + (end < text.length ? " …" : "");
  return summary;
};

// What scrolls sideways can be reached with the keyboard, and has a name. The theme sees
// to the former, but not in cells that are unfolded later, and not for formulas.
const SCROLLING = {
  pre: say("Code"),
  "div.math": say("Formula"),
  ".pst-scrollable-table-container": say("Table"),
};

const nameScrolling = (box, scrolls) => {
  const selector = Object.keys(SCROLLING).find((selector) => box.matches(selector));
  box.tabIndex = scrolls ? 0 : -1;
  box.role = scrolls ? "group" : null;
  box.ariaLabel = scrolls ? SCROLLING[selector] : null;
};

// The theme takes the focus from its buttons, lest their tooltips stay. Whoever pressed
// one with the keyboard would have to start again from the top of the page.
let pressed;
const giveBack = () => document.activeElement === document.body && pressed?.focus();
document.addEventListener("click", (press) => {
  pressed = press.detail === 0 ? press.target.closest("button") : null;
  setTimeout(giveBack); // once the theme has acted
}, true);
document.addEventListener("close", () => setTimeout(giveBack), true); // of a dialog

// A field or figure to be used by hand loads its styles and scripts once it comes near. A
// button that is pressed before that acts then.
const STATIC = new URL(".", document.currentScript.src);
const loadField = (field) => {
  let part;
  for (const name of field.dataset.loads.split(" ")) {
    const address = new URL(`${name}?v=${field.dataset.version}`, STATIC).href;
    part = Object.assign(...(name.endsWith(".css")
      ? [document.createElement("link"), { rel: "stylesheet", href: address }]
      : [document.createElement("script"), { src: address, async: false }]));
    document.head.append(part);
  }
  part.onload = () => {
    field.onclick = null;
    field.pressed?.click();
  };
};

document.addEventListener("DOMContentLoaded", () => {
  for (const field of document.querySelectorAll("[data-loads]")) {
    field.onclick = ({ target }) => (field.pressed = target.closest("button"));
    new IntersectionObserver((entries, watcher) => {
      if (entries.some(({ isIntersecting }) => isIntersecting)) watcher.disconnect() ?? loadField(field);
    }, { rootMargin: "300px" }).observe(field.hidden ? field.parentElement : field);
  }

  if (typeof Search !== "undefined") Search.makeSearchSummary = summarize;

  // Two lines with gaps inside are a table, whose lines do not break on a phone.
  for (const printed of document.querySelectorAll(".cell_output pre")) {
    printed.classList.toggle("columns", /\S {2,}\S.*\n.*\S {2,}\S/.test(printed.textContent));
  }

  const watch = new ResizeObserver((entries) => {
    // All are measured before any is changed, or the page would be laid out for each.
    const boxes = entries.map(({ target }) => [target, target.scrollWidth > target.clientWidth]);
    for (const [box, scrolls] of boxes) {
      if (scrolls || box.tabIndex === 0) nameScrolling(box, scrolls);
    }
  });
  const boxes = document.querySelectorAll(Object.keys(SCROLLING).join());
  boxes.forEach((box) => watch.observe(box));

  // The theme's dialogs have no names.
  const names = {
    search: say("Search"), "primary-sidebar": say("Book"), "secondary-sidebar": say("Page") };
  for (const dialog of document.querySelectorAll("dialog")) {
    const [, part] = dialog.id.match(/^pst-(.*)-(?:dialog|modal)$/) ?? [];
    dialog.ariaLabel = names[part] ?? null;
  }
});

// What the theme, its copy buttons and the search say in English only.
if (window.words) {
  for (const [name, text] of Object.entries(messages.en)) messages.en[name] = say(text);
  iconCopy = iconCopy.replace("Copy to clipboard", say("Copy to clipboard"));
  iconCheck = iconCheck.replace("Copied!", say("Copied!"));
}
const SAID = ["title", "aria-label", "placeholder", "alt", "data-tooltip", "data-bs-original-title"];
document.addEventListener("DOMContentLoaded", () => {
  for (const name of window.words ? SAID : []) {
    for (const part of document.querySelectorAll(`[${name}]`)) {
      part.setAttribute(name, say(part.getAttribute(name)));
    }
  }
  document.querySelectorAll(".copybtn svg").forEach((icon) => (icon.outerHTML = iconCopy));
  const hide = document.querySelector(".highlight-link a");
  if (hide) hide.textContent = say(hide.textContent);
});

// The other language opens at the section that is being read.
document.addEventListener("DOMContentLoaded", () => {
  document.querySelector(".language")?.addEventListener("click", ({ currentTarget }) => {
    const sections = [...document.querySelectorAll("article section[id]")];
    const isAbove = (part) => part.getBoundingClientRect().top < innerHeight / 3;
    const read = scrollY > 100 ? sections.filter(isAbove).at(-1) : null;
    currentTarget.hash = read?.id ?? "";
  });
});
