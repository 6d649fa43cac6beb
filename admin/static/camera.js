// Scans with the device's camera: by the browser's own detector where there is one, else by sending frames to
// the server, a few a second and one at a time.
import { ask, SilenceError } from "./api.js";
import { t } from "./words.js";

const FRAME_EVERY_MS = 250;
const FRAME_SIDE_MAX = 1280;
const FRAME_BYTES_MAX = 500 * 1024;
const dialog = document.getElementById("camera");
const video = document.getElementById("camera-video");
const error = document.getElementById("camera-error");
const canvas = document.createElement("canvas");
let stream = null;
let detector = null;

export function prepareCamera(onCode) {
  document.getElementById("camera-open").addEventListener("click", () => start(onCode));
  document.getElementById("camera-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", stop);
}

export function closeCamera() {
  if (dialog.open) dialog.close();
}

async function start(onCode) {
  error.textContent = "";
  video.parentElement.hidden = false;
  dialog.showModal();
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      audio: false,
      video: { facingMode: "environment", width: { ideal: FRAME_SIDE_MAX }, height: { ideal: 720 } },
    });
  } catch {
    video.parentElement.hidden = true;
    error.textContent = t("The camera cannot be used. Allow it in the browser, or type the number.");
    return;
  }
  if (!dialog.open) return stop();
  video.srcObject = stream;
  await video.play();
  detector = await nativeDetector();
  look(onCode);
}

function stop() {
  stream?.getTracks().forEach((track) => track.stop());
  stream = null;
  video.srcObject = null;
}

async function nativeDetector() {
  if (!("BarcodeDetector" in window)) return null;
  const formats = await BarcodeDetector.getSupportedFormats().catch(() => []);
  const wanted = ["qr_code", "ean_13"].filter((format) => formats.includes(format));
  return wanted.includes("qr_code") ? new BarcodeDetector({ formats: wanted }) : null;
}

async function look(onCode) {
  while (stream) {
    const since = performance.now();
    const text = await (detector ? detect() : askServer());
    if (!stream) return;
    if (text) {
      navigator.vibrate?.(60);
      dialog.close();
      onCode(text);
      return;
    }
    const rest = FRAME_EVERY_MS - (performance.now() - since);
    await new Promise((resolve) => setTimeout(resolve, Math.max(rest, 30)));
  }
}

async function detect() {
  try {
    return (await detector.detect(video))[0]?.rawValue ?? null;
  } catch {
    detector = null; // some browsers name the format and then cannot: the server can
    return null;
  }
}

async function askServer() {
  const jpeg = await frame();
  if (!jpeg || jpeg.size > FRAME_BYTES_MAX) return null;
  try {
    const answer = await ask("POST", "/frames", { jpeg });
    error.textContent = answer.ok || answer.status === 429 ? "" : answer.title;
    return answer.ok ? answer.data.text : null;
  } catch (silence) {
    if (!(silence instanceof SilenceError)) throw silence;
    error.textContent = t("Without the network this camera cannot read codes. Type the card number.");
    return null;
  }
}

function frame() {
  if (!video.videoWidth) return null;
  const scale = Math.min(1, FRAME_SIDE_MAX / Math.max(video.videoWidth, video.videoHeight));
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  canvas.getContext("2d", { alpha: false }).drawImage(video, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.75));
}
