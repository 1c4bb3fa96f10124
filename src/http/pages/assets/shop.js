// What a script adds to pages that work without one: stock that is live, a countdown, suggestions,
// and forms that outlive a lost network.

// It is looked for each time: an answer may bring another.
const told = () => document.getElementById("told");
const say = (text) => { told().textContent = text; };
const words = document.body.dataset;

// Every page says the server's time. From there on it is measured by what no clock that is set changes,
// so a wrong clock here shows no wrong countdown, and none is ever ahead of the server.
let began = { atMs: Number(document.documentElement.dataset.now), measuredMs: performance.now() };
const now = () => began.atMs + performance.now() - began.measuredMs;

// ---- A form that acts once ----
// It has a key of its own. Where an answer is lost, the same form is sent again with the same key until
// one comes: the server acts once, and says what became of it.

const PAUSES_MS = [500, 1000, 2000, 4000, 8000];
const TRIES_MAX = 8;

async function sendOnce(form, button) {
  const body = new URLSearchParams(new FormData(form, button));
  const buttons = form.querySelectorAll("button");
  buttons.forEach((button) => { button.disabled = true; });
  say(words.sending);
  let tries = 0;
  for (;;) {
    // Without a network nothing was tried: the browser says when it is back.
    if (navigator.onLine) tries += 1;
    const isLast = tries >= TRIES_MAX;
    const answer = await answerTo(form, body);
    if (answer?.next) return window.location.replace(answer.next);
    // The server may be starting, or be busy: nothing is lost by asking again. In the end it has the word.
    if (answer && (answer.status !== 503 || isLast)) return show(answer.page);
    if (!answer && isLast) break;
    say(answer?.page.querySelector("[role=alert] strong")?.textContent ?? words.offline);
    await pause(Math.max(answer?.waitMs ?? 0, PAUSES_MS[Math.min(tries, PAUSES_MS.length - 1)]));
  }
  // Nobody answers. Pressed again, it is the same request.
  say(words.unsent);
  buttons.forEach((button) => { button.disabled = false; });
  delete form.dataset.sent;
}

// What the server says, or nothing: it broke off, or somebody in between had no answer of ours.
async function answerTo(form, body) {
  try {
    const answer = await fetch(form.action, { method: "POST", body, redirect: "follow" });
    if (answer.redirected) return { next: answer.url };
    const page = await parsed(answer);
    const waitMs = Math.min(10, Number(answer.headers.get("retry-after"))) * 1000;
    return page.querySelector("main") ? { status: answer.status, waitMs, page } : null;
  } catch {
    return null;
  }
}

const parsed = async (answer) => new DOMParser().parseFromString(await answer.text(), "text/html");

// What only a script can do.
function withScript() {
  document.querySelectorAll("[data-with-script]").forEach((it) => { it.hidden = false; });
}

// As if the browser had gone there itself.
function show(page) {
  document.title = page.title;
  document.querySelector("main").replaceWith(page.querySelector("main"));
  withScript();
  document.querySelector("main").focus();
}

const pause = (ms) => new Promise((done) => {
  const woken = () => { clearTimeout(timer); window.removeEventListener("online", woken); done(); };
  const timer = setTimeout(woken, ms);
  window.addEventListener("online", woken);
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.once === undefined) return;
  event.preventDefault();
  if (form.dataset.sent) return;
  form.dataset.sent = "yes";
  sendOnce(form, event.submitter);
});

// A page that comes back out of the browser's memory may be of long ago.
window.addEventListener("pageshow", (event) => { if (event.persisted) window.location.reload(); });

// ---- Stock that is live ----

// Only a page that is seen has a stream of its own: a browser has few connections, and the server places.
const REOPEN_MS = 5000;

function watch(stock) {
  const path = `/api/mall/products/${encodeURIComponent(stock.dataset.stock)}/stock`;
  let source = null;
  let again = 0;
  const close = () => {
    clearTimeout(again);
    source?.close();
    source = null;
  };
  const open = () => {
    close();
    if (document.hidden) return;
    source = new EventSource(path);
    source.addEventListener("stock", (event) => tellStock(stock, JSON.parse(event.data)));
    source.addEventListener("error", () => {
      // What was refused for now is tried again later; a browser tries again by itself only what broke off.
      if (source?.readyState === EventSource.CLOSED) again = setTimeout(open, REOPEN_MS);
    });
  };
  document.addEventListener("visibilitychange", open);
  window.addEventListener("pagehide", close);
  open();
}

function tellStock(stock, { available }) {
  const text = available > 0 ? available.toLocaleString("en") : stock.dataset.out;
  if (stock.textContent.trim() !== text) stock.textContent = text;
  document.querySelectorAll("[data-when-stocked]").forEach((it) => { it.hidden = available <= 0; });
  document.querySelectorAll("[data-when-sold-out]").forEach((it) => { it.hidden = available > 0; });
}
document.querySelectorAll("[data-stock]").forEach(watch);

// ---- A board that is live ----

async function follow(board) {
  for (;;) {
    await pause(Number(board.dataset.live));
    if (document.hidden) continue;
    const fresh = (await anew())?.getElementById(board.id);
    if (fresh) board.replaceChildren(...fresh.childNodes);
    board.classList.toggle("stale", !fresh);
    say(fresh ? "" : words.stale);
  }
}

// This page as it is now, or nothing where that cannot be had.
async function anew() {
  try {
    const answer = await fetch(window.location.href);
    // Whoever is not signed in any more is asked to.
    if (answer.redirected) window.location.reload();
    return answer.ok ? await parsed(answer) : null;
  } catch {
    return null;
  }
}
document.querySelectorAll("[data-live]").forEach(follow);

// ---- Deadlines ----

function clock(leftMs) {
  const leftS = Math.max(0, Math.ceil(leftMs / 1000));
  const parts = [Math.floor(leftS / 60) % 60, leftS % 60];
  if (leftS >= 3600) parts.unshift(Math.floor(leftS / 3600));
  return parts.map((part) => String(part).padStart(2, "0")).join(":");
}

const countdowns = [...document.querySelectorAll("[data-deadline]")];
function tick() {
  for (const it of countdowns) {
    const leftMs = Number(it.dataset.deadline) - now();
    it.textContent = clock(leftMs);
    if (leftMs <= 0) {
      // The server says what became of it.
      setTimeout(() => window.location.reload(), 1500);
      return;
    }
  }
  setTimeout(tick, 1000 - (now() % 1000));
}
if (countdowns.length > 0) tick();

// ---- A sale that begins ----
// The button works once its time is up. Nothing is loaded then: everybody would at once.

function opens(it) {
  const atMs = Number(it.dataset.opens);
  const buttons = document.querySelectorAll("[data-when-open] button");
  if (now() >= atMs) return;
  buttons.forEach((button) => { button.disabled = true; });
  const count = () => {
    const leftMs = atMs - now();
    if (leftMs > 0) {
      it.querySelector(".countdown").textContent = clock(leftMs);
      setTimeout(count, Math.min(leftMs, leftMs % 1000 || 1000));
      return;
    }
    it.textContent = it.dataset.begun;
    buttons.forEach((button) => { button.disabled = false; });
    say(it.dataset.begun);
  };
  // A device that slept may have measured nothing meanwhile.
  document.addEventListener("visibilitychange", async () => {
    if (document.hidden || now() >= atMs) return;
    const page = await anew();
    if (page) began = { atMs: Number(page.documentElement.dataset.now), measuredMs: performance.now() };
  });
  count();
}
document.querySelectorAll("[data-opens]").forEach(opens);

// ---- Suggestions ----

const search = document.getElementById("keyword");
const suggestions = document.getElementById("suggestions");
if (search && suggestions) {
  let timer;
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const keyword = search.value.trim();
      if (!keyword) return;
      try {
        const answer = await fetch(`/api/mall/products?page_size=6&keyword=${encodeURIComponent(keyword)}`);
        if (!answer.ok) return;
        const { data } = await answer.json();
        const options = data.products.map((product) => {
          const option = document.createElement("option");
          option.value = product.name;
          return option;
        });
        suggestions.replaceChildren(...options);
      } catch { /* Whoever types on searches without. */ }
    }, 200);
  });
}

// ---- A file in place of a table that is pasted ----

withScript();
document.addEventListener("change", async (event) => {
  const into = document.getElementById(event.target.dataset.into ?? "");
  const [file] = event.target.files ?? [];
  if (into && file) into.value = await file.text();
});

// ---- Pull to load anew ----

let pulledFrom = null;
document.addEventListener("touchstart", (event) => {
  pulledFrom = window.scrollY === 0 ? event.touches[0].clientY : null;
}, { passive: true });
document.addEventListener("touchmove", (event) => {
  if (pulledFrom !== null && event.touches[0].clientY - pulledFrom > 60) say(words.pull);
}, { passive: true });
document.addEventListener("touchend", (event) => {
  const far = pulledFrom !== null && event.changedTouches[0].clientY - pulledFrom > 120;
  pulledFrom = null;
  if (far) {
    say(words.reloading);
    window.location.reload();
  } else if (told().textContent === words.pull) {
    say("");
  }
}, { passive: true });
