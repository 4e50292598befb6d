// The browser's side of a page. It shows what the service sends and sends
// back what was pressed; it decides nothing and keeps nothing.

const body = document.body;
const root = document.documentElement;
const live = document.getElementById("live");
const told = document.getElementById("told");

let sale = body.dataset.sale || "";
let rev = Number(body.dataset.rev || 0);
let skew = Number(body.dataset.now || Date.now()) - Date.now(); // the server's clock minus ours
let socket = null;
let attempts = 0;
let shownAt = 0; // when the screen last became another one
let before = ""; // id that had the focus before a dialog opened

// ---- the socket -----------------------------------------------------------

function connect() {
  const url = new URL(body.dataset.socket, location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  const ws = new WebSocket(url);
  let silence = 0;
  const alive = () => {
    clearTimeout(silence);
    silence = setTimeout(() => ws.close(), 20000); // to open; later the browser answers pings itself
  };
  alive();
  ws.onopen = () => {
    clearTimeout(silence);
    socket = ws;
  };
  ws.onmessage = (event) => {
    attempts = 0;
    take(JSON.parse(event.data));
  };
  ws.onclose = () => {
    clearTimeout(silence);
    socket = null;
    root.dataset.link = "down";
    hush();
    attempts += 1;
    const wait = Math.min(5000, 150 * 2 ** Math.min(attempts, 6));
    // A page for staff whose session has ended leads to the login by a reload.
    if (attempts === 4 && body.classList.contains("staff")) {
      fetch(location.href, { redirect: "manual" }).then((r) => r.type === "opaqueredirect" && location.reload(), () => {});
    }
    setTimeout(connect, wait * (0.7 + 0.6 * Math.random()));
  };
}

function send(input) {
  if (!socket || socket.readyState !== WebSocket.OPEN || root.dataset.link !== "up") return;
  socket.send(JSON.stringify({ sale, rev, ...input }));
}

function take(message) {
  skew = message.now - Date.now();
  if (message.kind === "told") return tell(message.text);
  const screen = root.dataset.screen;
  sale = message.sale;
  rev = message.rev;
  for (const [name, value] of Object.entries(message.root || {})) {
    if (root.getAttribute(name) !== value) root.setAttribute(name, value);
  }
  for (const f of message.fragments || []) replace(f.id, f.html);
  root.dataset.link = "up";
  if (root.dataset.screen !== screen) {
    shownAt = performance.now();
    scrollTo(0, 0);
  }
  tick();
  sounds();
}

// ---- fragments ------------------------------------------------------------

// replace puts a new element in the place of the one with its id. The focus
// stays where it was if there is still something of that id.
function replace(id, html) {
  const old = document.getElementById(id);
  const template = document.createElement("template");
  template.innerHTML = html;
  const fresh = template.content.firstElementChild;
  if (!fresh) return;
  if (id === "announce") return announce(fresh.textContent);
  if (!old) {
    document.getElementById("app").append(fresh);
    return;
  }
  const focused = old.contains(document.activeElement) ? document.activeElement.id : null;
  const scrolled = [...old.querySelectorAll("[data-scroll]")].map((e) => [e.id, e.scrollTop]);
  old.replaceWith(fresh);
  for (const [sid, top] of scrolled) {
    const e = document.getElementById(sid);
    if (e) e.scrollTop = top;
  }
  if (id === "dialog") return dialog(fresh);
  if (focused !== null) {
    const again = focused && document.getElementById(focused);
    (again || fresh.querySelector("h1[tabindex]") || body).focus({ preventScroll: true });
  }
}

// dialog keeps everything else out of reach while it is open.
function dialog(fresh) {
  const first = fresh.querySelector("button");
  for (const id of ["top", "main", "foot"]) {
    const e = document.getElementById(id);
    if (e) e.inert = Boolean(first);
  }
  if (first) {
    if (!before) before = document.activeElement?.id || "title";
    first.focus();
  } else if (before) {
    document.getElementById(before)?.focus({ preventScroll: true });
    before = "";
  }
}

function announce(text) {
  const said = live.textContent;
  live.textContent = text;
  if (text === said) return;
  const more = said && text.startsWith(said); // the rest of it goes on being said
  say(more ? text.slice(said.length) : text, more);
}

function tell(text) {
  if (!told) return;
  told.textContent = text;
  told.classList.add("on");
  clearTimeout(tell.timer);
  tell.timer = setTimeout(() => told.classList.remove("on"), 6000);
}

// ---- speech and sound -----------------------------------------------------

let spoke = "";

function say(text, more) {
  if (!("speechSynthesis" in window)) return;
  if (!more) speechSynthesis.cancel();
  if (root.dataset.speak !== "on" || !text) return;
  const words = new SpeechSynthesisUtterance(text);
  words.lang = root.lang;
  words.rate = 0.95;
  speechSynthesis.speak(words);
}

function hush() {
  if ("speechSynthesis" in window) speechSynthesis.cancel();
  clearInterval(sounds.loop);
  sounds.last = "";
}

let audio = null;

function beep(frequency, at, length, loud) {
  const tone = audio.createOscillator();
  const gain = audio.createGain();
  tone.frequency.value = frequency;
  gain.gain.setValueAtTime(0, audio.currentTime + at);
  gain.gain.linearRampToValueAtTime(loud, audio.currentTime + at + 0.02);
  gain.gain.linearRampToValueAtTime(0, audio.currentTime + at + length);
  tone.connect(gain).connect(audio.destination);
  tone.start(audio.currentTime + at);
  tone.stop(audio.currentTime + at + length);
}

const melodies = {
  prompt: [[660, 0, 0.12, 0.08]],
  writing: [[440, 0, 0.08, 0.05]],
  done: [[523, 0, 0.14, 0.1], [659, 0.14, 0.14, 0.1], [784, 0.28, 0.3, 0.1]],
  attention: [[392, 0, 0.2, 0.1], [330, 0.24, 0.3, 0.1]],
};

function play(name) {
  if (!("AudioContext" in window) || !melodies[name]) return;
  audio ||= new AudioContext();
  if (audio.state !== "running") return void audio.resume().catch(() => {});
  for (const note of melodies[name]) beep(...note);
}

function sounds() {
  const wanted = root.dataset.sound || "";
  const key = wanted + "/" + root.dataset.screen;
  if (key === sounds.last) return;
  sounds.last = key;
  clearInterval(sounds.loop);
  if (!wanted) return;
  play(wanted);
  if (wanted === "writing") sounds.loop = setInterval(() => play("writing"), 900);
}

// ---- time -----------------------------------------------------------------

const ends = new WeakMap(); // countdown elements and when they end

const units = {
  en: [[86400, " d"], [3600, " h"], [60, " min"], [1, " s"]],
  zh: [[86400, " 天"], [3600, " 小时"], [60, " 分钟"], [1, " 秒"]],
};

function tick() {
  const now = performance.now();
  for (const e of document.querySelectorAll("[data-countdown]")) {
    if (!ends.has(e)) ends.set(e, now + Number(e.dataset.countdown));
    const left = String(Math.max(0, Math.ceil((ends.get(e) - now) / 1000)));
    if (e.textContent !== left) e.textContent = left;
  }
  for (const e of document.querySelectorAll("time[data-at]")) {
    const at = Number(e.dataset.at);
    const seconds = Math.max(0, Math.floor((Date.now() + skew - at) / 1000));
    const names = units[root.dataset.lang] || units.en;
    const [size, unit] = names.find(([s]) => seconds >= s) || names.at(-1);
    const text = Math.floor(seconds / size) + unit;
    if (e.textContent !== text) e.textContent = text;
    if (!e.title) e.title = new Date(at).toLocaleString(root.lang);
  }
}

setInterval(tick, 500);

// ---- what people do -------------------------------------------------------

// A button that is replaced between finger down and finger up gets no click.
// The press still counts, for the screen on which it began: if that is gone,
// the service drops it.
let down = null;

document.addEventListener("pointerdown", (event) => {
  const button = event.target.closest("[data-do]");
  down = button && button.id ? { button, sale, rev } : null;
});

document.addEventListener("pointerup", (event) => {
  const began = down;
  down = null;
  const button = event.target.closest?.("[data-do]");
  if (!began || !button || button === began.button || button.id !== began.button.id) return;
  if (JSON.stringify({ ...button.dataset }) !== JSON.stringify({ ...began.button.dataset })) return; // it does something else now
  act(button, event, { sale: began.sale, rev: began.rev });
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (button) act(button, event, {});
});

function act(button, event, meant) {
  if (button.disabled) return;
  // A finger that was on its way when the screen changed meant the old one.
  if (event.pointerType === "touch" && performance.now() - shownAt < 250) return;
  if (button.dataset.do === "print") return print();
  const input = { ...meant, do: button.dataset.do };
  if (button.dataset.sale !== undefined) input.sale = button.dataset.sale;
  if (button.dataset.value) input.value = button.dataset.value;
  const args = {};
  for (const [name, value] of Object.entries(button.dataset)) {
    if (name.startsWith("arg") && name.length > 3) args[name.slice(3).toLowerCase()] = value;
  }
  if (Object.keys(args).length) input.args = args;
  send(input);
}

// Tactile keys send arrows, Enter and Escape.
document.addEventListener("keydown", (event) => {
  if (!body.classList.contains("passenger") || event.ctrlKey || event.altKey || event.metaKey) return;
  const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
  if (step) {
    const all = [...document.querySelectorAll("button:not([disabled])")].filter((b) => !b.closest("[inert]") && b.offsetParent);
    if (!all.length) return;
    const main = all.findIndex((b) => b.closest("#dialog, #main"));
    const at = all.indexOf(document.activeElement);
    const next = at < 0 ? Math.max(main, 0) : (at + step + all.length) % all.length;
    all[next].focus();
    event.preventDefault();
  } else if (event.key === "Escape") {
    (document.getElementById("help-close") || document.getElementById("dialog-stop") || document.getElementById("stop"))?.click();
  }
});

// With speech on, what has the focus is read out.
document.addEventListener("focusin", (event) => {
  if (root.dataset.speak !== "on" || !event.target.closest("button")) return;
  if (event.target.matches(":focus-visible")) say(event.target.getAttribute("aria-label") || event.target.innerText);
});

new MutationObserver(() => {
  const on = root.dataset.speak || "";
  if (on === spoke) return;
  spoke = on;
  say(on ? live.textContent : "");
}).observe(root, { attributes: true, attributeFilter: ["data-speak"] });

if (body.classList.contains("passenger")) {
  document.addEventListener("contextmenu", (event) => event.preventDefault());
}

live.textContent = document.getElementById("announce")?.textContent || "";
document.getElementById("announce")?.remove();
const opened = document.getElementById("dialog");
if (opened) dialog(opened);
tick();
connect();
