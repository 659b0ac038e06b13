// A worker that only counts: browsers slow the timers of a page down when another page covers it, and a session whose
// application is in front must keep beating.

const EVERY_MS = 1_000;
setInterval(() => postMessage(null), EVERY_MS);
