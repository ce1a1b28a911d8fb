// Nothing here is needed: it refreshes pages in place, and adds keys.
"use strict";

(() => {
  const main = document.getElementById("main");
  const secs = Number(main.dataset.refresh);

  // Keys: "/" searches, Escape leaves the search field.
  document.addEventListener("keydown", (e) => {
    const search = document.getElementById("search");
    const typing = e.target.closest("input, select, textarea, [contenteditable]");
    if (e.key === "/" && !typing && !e.ctrlKey && !e.metaKey && !e.altKey) {
      e.preventDefault();
      search.focus();
      search.select();
    } else if (e.key === "Escape" && e.target === search) {
      search.blur();
    }
  });

  // Filters apply at once; without this script there is a button.
  main.addEventListener("change", (e) => {
    const form = e.target.closest("form.filters");
    if (form && e.target.matches("select")) form.requestSubmit();
  });

  if (!secs) return;

  const stale = document.getElementById("stale");
  const paused = () => sessionStorage.getItem("paused") === "1";
  let waiting = false;
  let wait = 1000 * secs; // a slow answer is asked for less often: looking must not be a load

  // What has the focus is found again by its address or id in the new content.
  const find = (el) => {
    if (!el || !main.contains(el)) return null;
    if (el.id) return () => document.getElementById(el.id);
    const href = el.getAttribute && el.getAttribute("href");
    return href ? () => [...main.querySelectorAll("a[href]")].find((a) => a.getAttribute("href") === href) : null;
  };

  const label = () => {
    const button = document.getElementById("pause");
    if (!button) return;
    button.hidden = false;
    button.setAttribute("aria-pressed", String(paused()));
    button.textContent = paused() ? button.dataset.resume : button.dataset.pause;
  };

  const busy = () => {
    const el = document.activeElement;
    const chosen = window.getSelection();
    return (main.contains(el) && el.matches("input, select, textarea")) || (chosen && !chosen.isCollapsed && main.contains(chosen.anchorNode));
  };

  const refresh = async () => {
    if (waiting || paused() || document.hidden || busy()) return;
    waiting = true;
    const began = performance.now();
    try {
      const res = await fetch(location.href, { headers: { "Scantrail-Refresh": "1" }, signal: AbortSignal.timeout(15000) });
      if (!res.ok) throw new Error(res.statusText);
      const html = await res.text();
      if (paused() || busy()) return;
      const focus = find(document.activeElement);
      const open = [...main.querySelectorAll("details[open][id]")].map((d) => d.id);
      const scrolled = [...main.querySelectorAll(".scroll")].map((s) => s.scrollLeft);
      main.innerHTML = html;
      open.forEach((id) => document.getElementById(id)?.setAttribute("open", ""));
      [...main.querySelectorAll(".scroll")].forEach((s, i) => { s.scrollLeft = scrolled[i] || 0; });
      focus?.()?.focus({ preventScroll: true });
      stale.hidden = true;
      label();
    } catch {
      stale.hidden = false;
    } finally {
      waiting = false;
      wait = Math.max(1000 * secs, 8 * (performance.now() - began));
    }
  };
  const again = () => setTimeout(() => refresh().finally(again), wait);

  main.addEventListener("click", (e) => {
    if (!e.target.closest("#pause")) return;
    sessionStorage.setItem("paused", paused() ? "0" : "1");
    label();
    refresh();
  });
  document.addEventListener("visibilitychange", refresh);
  label();
  again();
})();
