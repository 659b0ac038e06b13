// How the screen suits somebody: size of letters, contrast, movement, sound, language; applied at once.

import { speak } from "../static/words.js";

/** @typedef {{ lang?: string, text: "normal" | "large" | "largest", contrast: boolean, motion: boolean, sound: boolean }} Settings */

/** Of a guest, and of those who chose nothing. @type {Settings} */
export const PLAIN = { text: "normal", contrast: false, motion: true, sound: true };

/** Makes the page so; what the tablet itself asks for (its system's settings) holds as well. @param {Settings} settings */
export function apply(settings) {
  const wished = (/** @type {string} */ query) => window.matchMedia(query).matches;
  const page = document.documentElement;
  page.dataset.text = settings.text;
  page.toggleAttribute("data-contrast", settings.contrast || wished("(prefers-contrast: more)"));
  page.toggleAttribute("data-mute", !settings.sound);
  page.toggleAttribute("data-still", !settings.motion || wished("(prefers-reduced-motion: reduce)"));
  speak(settings.lang);
}

/** Two soft notes call somebody back to the screen, where sounds are wished for. @param {Settings} settings */
export function chime(settings) {
  if (!settings.sound || document.documentElement.hasAttribute("data-quiet") || !("AudioContext" in window)) return;
  const audio = new AudioContext();
  [523.25, 659.25].forEach((pitch_hz, at) => {
    const [note, loudness, start] = [audio.createOscillator(), audio.createGain(), audio.currentTime + at * 0.25];
    note.frequency.value = pitch_hz;
    loudness.gain.setValueAtTime(0, start);
    loudness.gain.linearRampToValueAtTime(0.12, start + 0.03);
    loudness.gain.exponentialRampToValueAtTime(0.001, start + 0.6);
    note.connect(loudness).connect(audio.destination);
    note.start(start);
    note.stop(start + 0.6);
    if (at > 0) note.onended = () => void audio.close();
  });
}
