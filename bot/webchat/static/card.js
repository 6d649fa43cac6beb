// The live card: asks for the next code when this one ends, counts down, keeps the screen on.

const words = JSON.parse(document.getElementById("words").textContent);
const code = document.getElementById("code");
const bar = document.getElementById("bar");
const renews = document.getElementById("renews");
const problem = document.getElementById("problem");
const awake = document.getElementById("awake");
const STEP_S = 30;

let endsAt = 0;
let asking = false;

async function renew() {
  if (asking) return;
  asking = true;
  try {
    const answer = await fetch(`${location.pathname.replace(/\/$/, "")}/code`, { cache: "no-store" });
    if (!answer.ok) throw new Error(String(answer.status));
    const { path, side, seconds_left: left } = await answer.json();
    code.setAttribute("viewBox", `0 0 ${side} ${side}`);
    code.firstElementChild.setAttribute("d", path);
    endsAt = performance.now() + left * 1000;
    problem.hidden = true;
    code.classList.remove("stale");
  } catch {
    problem.hidden = false;
    if (performance.now() > endsAt + STEP_S * 1000) code.classList.add("stale");
    await new Promise((done) => setTimeout(done, 2000));
  } finally {
    asking = false;
  }
}

function tick() {
  const left = Math.max(0, (endsAt - performance.now()) / 1000);
  bar.style.transform = `scaleX(${Math.min(1, left / STEP_S)})`;
  renews.textContent = words.renews.replace("{seconds}", String(Math.ceil(left)));
  if (left <= 0 && !document.hidden) renew();
}

async function keepAwake() {
  try {
    await navigator.wakeLock.request("screen");
    awake.hidden = false;
  } catch {
    awake.hidden = true; // the browser does not have it, or the battery is low
  }
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  keepAwake();
  tick();
});
keepAwake();
tick();
setInterval(tick, 250);
