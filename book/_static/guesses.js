// Predictions and questions that wait for an answer, and words that explain themselves.
//
// book/_extension/guesses.py marks them. What is folded keeps its height, so that nothing
// on the page moves. The browser's search finds it, and links into it open it.
{
  const html = document.documentElement;
  const find = (selector, within = document) => [...within.querySelectorAll(selector)];
  const make = (tag, className, textContent = "") =>
    Object.assign(document.createElement(tag), { className, textContent });
  const press = (text, className, onclick) =>
    Object.assign(make("button", className, say(text)), { type: "button", onclick });

  // What stays on the device: by prompts, what was tried and whether the answer is open.
  const PLACE = `guesses ${location.pathname}`;
  let memory = {};
  try {
    memory = JSON.parse(localStorage.getItem(PLACE)) ?? {};
  } catch {} // not allowed, or damaged
  const remember = () => {
    try {
      localStorage.setItem(PLACE, JSON.stringify(memory));
    } catch {}
  };
  const stateOf = ({ name }) => (memory[name] ??= { tries: [], open: false });

  const spoken = make("div", "hands-unseen");
  spoken.role = "status";

  // Numbers as people write them: 407,050 and 82 % and −19 and 0,98.
  const read = (text) => {
    const plain = text.trim().replace(/\s*%$/, "").replace(/^[−–]/, "-");
    const grouped = /^-?[1-9]\d{0,2}([, ]\d{3})+(\.\d+)?$/.test(plain);
    const number = grouped ? plain.replace(/[, ]/g, "") : plain.replace(",", ".");
    return /^[-+]?(\d+\.?\d*|\.\d+)$/.test(number) ? Number(number) : NaN;
  };
  const compare = (text, truth) => {
    const off = Number((read(text) - read(truth)).toPrecision(6));
    if (Number.isNaN(off)) return say("“{0}” is not a number. Try one such as 12 or 0.5.", text);
    const size = Math.abs(off).toLocaleString(html.lang, { maximumFractionDigits: 6 });
    if (!off) return say("You said {0}: exactly right.", text);
    const words = off < 0 ? "You said {0}, it is {1}: {2} below." : "You said {0}, it is {1}: {2} above.";
    return say(words, text, truth, size);
  };

  // Each prompt: its controls, and the parts that it folds.
  const guesses = [];
  for (const element of find(".guess, .guess-part")) {
    if (element.matches(".guess")) {
      const { kind, right, number } = element.dataset;
      const name = element.querySelector("p").textContent.slice(0, 60);
      const reasons = find(".guess-reasons > li", element);
      guesses.push({ element, name, kind, number, reasons, right: Number(right), parts: [] });
    } else guesses.at(-1)?.parts.push(element);
  }
  const WORDING = { show: "Show what happens", question: "Show the answer" };
  guesses.forEach((guess, i) => {
    const { element, kind, parts, right } = guess;
    const hand = element.querySelector(".guess-hand");
    guess.options = find(".guess-options > li", element).map((item, option) => {
      const button = press("", "guess-option", () => answer(guess, option));
      button.append(...[...item.childNodes].flatMap((part) => (part.matches?.("p") ? [...part.childNodes] : part)));
      item.replaceChildren(button);
      return button;
    });
    if (kind === "number") {
      const form = make("form"), label = make("label", "", say("Your guess"));
      const field = label.appendChild(make("input"));
      Object.assign(field, { autocomplete: "off", inputMode: guess.number[0] === "−" ? "" : "decimal" });
      if (guess.number.endsWith("%")) label.append("%");
      form.append(label, make("button", "guess-option", say("Compare")));
      form.onsubmit = (event) => {
        event.preventDefault();
        if (field.value.trim()) answer(guess, field.value.trim());
      };
      guess.result = make("output");
      hand.append(form);
      element.append(guess.result);
    }
    parts.forEach((part, j) => {
      part.id ||= `guess-${i}-${j}`;
      part.addEventListener("beforematch", () => open(guess));
    });
    guess.wording = WORDING[kind] ?? "Show without guessing";
    guess.show = press("", kind === "show" ? "guess-option" : "guess-quiet", () => {
      const state = stateOf(guess);
      state.open = !isOpen(guess);
      guess.found = false;
      if (!state.tries.length) state.tries.push(-1); // not right at the first try anymore
      remember();
      draw([guess]);
      if (guess.show.hidden) guess.options[right].focus();
    });
    if (parts.length) guess.show.setAttribute("aria-controls", parts.map(({ id }) => id).join(" "));
    hand.append(guess.show);
  });

  const isSolved = ({ kind, right, ...guess }) => {
    const { tries } = stateOf(guess);
    return kind === "number" ? !Number.isNaN(read(`${tries.at(-1)}`)) && tries.at(-1) !== -1 : tries.includes(right);
  };
  const isOpen = (guess) => guess.found || stateOf(guess).open;
  const open = (guess) => {
    guess.found = true;
    draw([guess]);
  };
  const answer = (guess, choice) => {
    const state = stateOf(guess);
    state.tries.push(choice);
    state.open ||= isSolved(guess);
    remember();
    draw([guess]);
    if (guess.kind === "number") return;
    const start = choice === guess.right ? "" : `${say("Not quite.")} `;
    spoken.replaceChildren(start, ...guess.reasons[choice].cloneNode(true).childNodes);
  };

  // All are measured before any is hidden, or the page would be laid out for each.
  const canFind = "onbeforematch" in html;
  const fold = (parts) => {
    parts.forEach((part) => part.removeAttribute("hidden"));
    const heights = parts.map((part) => part.getBoundingClientRect().height);
    parts.forEach((part, i) => {
      part.style.containIntrinsicBlockSize = `${heights[i]}px`;
      if (canFind) part.setAttribute("hidden", "until-found");
    });
  };
  const foldClosed = (some) => fold(some.filter((guess) => !isOpen(guess)).flatMap(({ parts }) => parts));

  const draw = (some) => {
    for (const guess of some) {
      const { tries } = stateOf(guess), opened = isOpen(guess);
      const last = opened && guess.options.length && !isSolved(guess) ? guess.right : tries.at(-1);
      const tried = (i) => tries.includes(i) || (opened && i === guess.right);
      guess.options.forEach((button, i) => {
        button.classList.toggle("right", tried(i) && i === guess.right);
        button.classList.toggle("wrong", tried(i) && i !== guess.right);
        guess.reasons[i].classList.toggle("shown", i === last);
      });
      if (guess.result) guess.result.textContent = typeof last === "string" ? compare(last, guess.number) : "";
      for (const part of guess.parts) {
        part.classList.toggle("open", opened);
        if (opened) part.removeAttribute("hidden");
      }
      guess.show.textContent = say(opened ? "Fold again" : guess.wording);
      if (guess.parts.length) guess.show.ariaExpanded = opened;
      else guess.show.hidden = opened;
    }
    foldClosed(some);
    all.textContent = say(guesses.every(isOpen) ? "Hide again" : "Show all");
    all.style.visibility = guesses.every(isSolved) ? "hidden" : "";  // there is nothing to hide
    forget.style.visibility = guesses.some((guess) => stateOf(guess).tries.length) ? "" : "hidden";
    const questions = guesses.filter(({ kind }) => kind === "question");
    const right = questions.filter((guess) => stateOf(guess).tries[0] === guess.right).length;
    const started = questions.some((guess) => stateOf(guess).tries.length);
    find(".guess-score").forEach((score) => {
      score.textContent = started ? say("{0} of {1} answered right at the first try.", right, questions.length) : "";
    });
  };

  const all = press("Show all", "guess-quiet", () => {
    const opened = !guesses.every(isOpen);
    for (const guess of guesses) {
      guess.found = false;
      stateOf(guess).open = opened || isSolved(guess);
    }
    remember();
    draw(guesses);
  });
  const forget = press("Forget my answers", "guess-quiet", () => {
    memory = {};
    guesses.forEach((guess) => (guess.found = false));
    find(".guess input").forEach((field) => (field.value = ""));
    remember();
    draw(guesses);
    all.focus();
  });
  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const inside = (guess) => guess.parts.some((part) => part.contains(target) && !isOpen(guess));
    const owner = target && guesses.find(inside);
    if (!owner) return;
    open(owner);
    target.scrollIntoView();
  };

  if (guesses.length) {
    const explained = say("Answers are folded until you have guessed.");
    find(".guess-head").forEach((head) => head.append(make("span", "", explained), all, forget));
    document.body.append(spoken);
    draw(guesses);
    reveal();
    addEventListener("hashchange", reveal);
    document.addEventListener("click", (event) => event.target.closest("a[href*='#']") && setTimeout(reveal));
    // What the page's own search marks, 10 ms after the page is there.
    const marked = (guess) => guess.parts.some((part) => part.querySelector(".highlighted"));
    addEventListener("load", () => setTimeout(() => guesses.filter(marked).forEach(open), 20));
    let { clientWidth } = html;
    addEventListener("resize", () => {
      if (clientWidth !== html.clientWidth) foldClosed(guesses);
      ({ clientWidth } = html);
    });
  }
  addEventListener("beforeprint", () => find("details.hint").forEach((hint) => (hint.open = true)));

  // Words: what one means, on hover, focus and tap. The second tap follows the link.
  const bubble = make("div", "term-means");
  Object.assign(bubble, { id: "term-means", role: "tooltip", hidden: true });
  let current, leaving, tapped;
  const hide = () => {
    current?.removeAttribute("aria-describedby");
    current = null;
    bubble.hidden = true;
  };
  const show = (term) => {
    clearTimeout(leaving);
    if (term === current) return;
    hide();
    current = term;
    bubble.textContent = term.dataset.means;
    bubble.hidden = false;
    term.setAttribute("aria-describedby", bubble.id);
    const { left, top, bottom } = term.getClientRects()[0];
    const { offsetWidth: width, offsetHeight: height } = bubble;
    const below = bottom + height + 8 < innerHeight;
    bubble.style.left = `${scrollX + Math.max(8, Math.min(left, html.clientWidth - width - 8))}px`;
    bubble.style.top = `${scrollY + (below ? bottom + 4 : top - height - 4)}px`;
  };
  const hideSoon = () => (leaving = setTimeout(hide, 150)); // the pointer may come to the bubble
  for (const term of find("a.term")) {
    term.dataset.means = term.title;
    term.title = "";
    term.onpointerdown = (event) => (tapped = event.pointerType === "touch" && term !== current);
    term.onpointerenter = (event) => event.pointerType !== "touch" && show(term);
    term.onfocus = () => tapped || show(term);
    term.onpointerleave = (event) => event.pointerType !== "touch" && hideSoon();
    term.onblur = hideSoon;
    term.onclick = (event) => {
      if (!tapped) return;
      event.preventDefault();
      tapped = false;
      show(term);
    };
  }
  bubble.onpointerenter = () => clearTimeout(leaving);
  bubble.onpointerleave = hideSoon;
  document.addEventListener("keydown", ({ key }) => key === "Escape" && hide());
  document.addEventListener("pointerdown", ({ target }) => target !== bubble && target !== current && hide());
  document.body.append(bubble);
}
