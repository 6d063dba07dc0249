"use strict";
// Filters live in the address (#v=FAIL&fr=1&if=plc&q=lockout), so that a view can be sent; a trial's own address is its id.
(() => {
  const root = document.documentElement;
  root.classList.add("scripted");
  const one = (selector) => document.querySelector(selector);
  const all = (selector) => Array.from(document.querySelectorAll(selector));
  const search = one("#q"), fr = one("#fr"), at = one("#if"), none = one(".none"), shown = one("#shown");
  const chips = all(".filters [data-v]");
  const sections = all(".trials section");
  let cards = all(".trials .card").map((node) => ({ node, data: node.dataset, text: null }));

  const words = (card) => (card.text ??= (card.node.id + " " + card.node.textContent).toLowerCase());
  const chosen = () => chips.filter((chip) => chip.getAttribute("aria-pressed") === "true").map((chip) => chip.dataset.v);

  const filter = () => {
    const verdicts = chosen(), query = search.value.trim().toLowerCase();
    const kept = new Set();
    let count = 0;
    for (const card of cards) {
      const hit = (!verdicts.length || verdicts.includes(card.data.v))
        && (!fr.value || card.data.fr === fr.value)
        && (!at.value || card.data.at === at.value)
        && (!query || words(card).includes(query));
      if (card.node.hidden === hit) card.node.hidden = !hit;
      if (hit) kept.add(card.node.parentElement);
      count += hit;
    }
    for (const section of sections) section.hidden = !kept.has(section);
    none.style.display = count ? "none" : "block";
    shown.textContent = count === cards.length ? `${count}` : `${count} of ${cards.length}`;
  };

  const write = () => {
    const state = new URLSearchParams();
    if (chosen().length) state.set("v", chosen().join(","));
    if (fr.value) state.set("fr", fr.value);
    if (at.value) state.set("if", at.value);
    if (search.value.trim()) state.set("q", search.value.trim());
    history.replaceState(null, "", "#" + state.toString().replaceAll("%2C", ","));
    filter();
  };

  const read = () => {
    const hash = location.hash.slice(1);
    const id = (() => { try { return decodeURIComponent(hash); } catch { return hash; } })();
    const target = id && document.getElementById(id);
    const state = new URLSearchParams(target ? "" : hash);
    const verdicts = (state.get("v") || "").split(",");
    for (const chip of chips) chip.setAttribute("aria-pressed", verdicts.includes(chip.dataset.v));
    fr.value = state.get("fr") || "";
    at.value = state.get("if") || "";
    search.value = state.get("q") || "";
    filter();
    if (target) {
      if (target.tagName === "DETAILS") target.open = true;
      target.scrollIntoView();
    } else if (hash.includes("=")) {
      one("#trials").scrollIntoView();
    }
  };

  const clear = () => {
    for (const chip of chips) chip.setAttribute("aria-pressed", "false");
    fr.value = at.value = search.value = "";
    write();
  };

  const step = (by) => {
    const open = cards.filter((card) => !card.node.hidden).map((card) => card.node.firstElementChild);
    const now = open.indexOf(document.activeElement);
    const next = open[now < 0 ? 0 : Math.min(Math.max(now + by, 0), open.length - 1)];
    if (next) { next.focus(); next.scrollIntoView({ block: "nearest" }); }
  };

  const theme = () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  };

  const keys = {
    "/": () => search.focus(),
    j: () => step(1),
    k: () => step(-1),
    f: () => { for (const chip of chips) chip.setAttribute("aria-pressed", ["FAIL", "INCONCLUSIVE"].includes(chip.dataset.v)); write(); one("#trials").scrollIntoView(); },
    t: theme,
    Escape: () => { clear(); document.activeElement.blur(); },
  };

  for (const chip of chips) chip.addEventListener("click", () => {
    chip.setAttribute("aria-pressed", chip.getAttribute("aria-pressed") !== "true");
    write();
  });
  for (const input of [fr, at]) input.addEventListener("change", write);
  let wait;
  search.addEventListener("input", () => { clearTimeout(wait); wait = setTimeout(write, 120); });
  one("#clear").addEventListener("click", clear);
  one("#theme").addEventListener("click", theme);
  addEventListener("hashchange", read);
  addEventListener("keydown", (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.ctrlKey || event.metaKey || event.altKey || (typing && event.key !== "Escape")) return;
    const act = keys[event.key];
    if (act) { event.preventDefault(); act(); }
  });
  read();
})();
