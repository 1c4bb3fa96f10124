// What a script adds to pages that work without one: stock that is live, a countdown, suggestions,
// and forms that outlive a lost network.

const told = document.getElementById("told");
const say = (text) => { if (told) told.textContent = text; };
const words = document.body.dataset;

// Every page says the server's time, so that a wrong clock here shows no wrong countdown.
const aheadMs = Number(document.documentElement.dataset.now) - Date.now();
const now = () => Date.now() + aheadMs;

// ---- A form that acts once ----
// It has a key of its own. Where an answer is lost, the same form is sent again with the same key until
// one comes: the server acts once, and says what became of it.

const PAUSES_MS = [500, 1000, 2000, 4000, 8000];

async function sendOnce(form, button) {
  const body = new URLSearchParams(new FormData(form, button));
  const buttons = form.querySelectorAll("button");
  buttons.forEach((button) => { button.disabled = true; });
  say(words.sending);
  for (let attempt = 0; ; attempt += 1) {
    try {
      const answer = await fetch(form.action, { method: "POST", body, redirect: "follow" });
      // The server may be starting, or be busy: nothing is lost by asking again.
      if (answer.status !== 503) return await show(answer);
    } catch {
      say(words.offline);
    }
    await pause(PAUSES_MS[Math.min(attempt, PAUSES_MS.length - 1)]);
  }
}

// As if the browser had gone there itself.
async function show(answer) {
  if (answer.redirected) {
    window.location.replace(answer.url);
    return;
  }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const content = page.querySelector("main");
  if (!content) throw new Error("no page");
  document.title = page.title;
  document.querySelector("main").replaceWith(content);
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
  sendOnce(form, event.submitter).catch(() => { window.location.reload(); });
});

// A page that comes back out of the browser's memory may be of long ago.
window.addEventListener("pageshow", (event) => { if (event.persisted) window.location.reload(); });

// ---- Stock that is live ----

const stock = document.querySelector("[data-stock]");
if (stock) {
  const source = new EventSource(`/api/mall/products/${encodeURIComponent(stock.dataset.stock)}/stock`);
  source.addEventListener("stock", (event) => {
    const { available } = JSON.parse(event.data);
    const text = available > 0 ? available.toLocaleString("en") : stock.dataset.out;
    if (stock.textContent.trim() !== text) stock.textContent = text;
    document.querySelectorAll("[data-when-stocked]").forEach((it) => { it.hidden = available <= 0; });
  });
  window.addEventListener("pagehide", () => source.close());
}

// ---- A board that is live ----

async function follow(board) {
  for (;;) {
    await pause(Number(board.dataset.live));
    if (document.hidden) continue;
    try {
      const answer = await fetch(window.location.href);
      if (!answer.ok) continue;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById(board.id);
      if (fresh) board.replaceChildren(...fresh.childNodes);
      say("");
    } catch {
      say(words.offline);
    }
  }
}
document.querySelectorAll("[data-live]").forEach(follow);

// ---- Deadlines ----

const countdowns = [...document.querySelectorAll("[data-deadline]")];
function tick() {
  for (const it of countdowns) {
    const leftS = Math.max(0, Math.ceil((Number(it.dataset.deadline) - now()) / 1000));
    const minutes = String(Math.floor(leftS / 60)).padStart(2, "0");
    it.textContent = `${minutes}:${String(leftS % 60).padStart(2, "0")}`;
    if (leftS === 0) {
      // The server says what became of it.
      setTimeout(() => window.location.reload(), 1500);
      return;
    }
  }
  setTimeout(tick, 1000 - (now() % 1000));
}
if (countdowns.length > 0) tick();

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
  } else if (told && told.textContent === words.pull) {
    say("");
  }
}, { passive: true });
