/**
 * Preloaded into a daemon (`node --import`), it measures from inside how long the event loop was held, and tells when asked
 * over the channel to the parent. Processor time beside wall time, because on a busy machine a loop also waits for its turn.
 * Plain JavaScript: stripping types would add 20 MB to what is measured.
 */

/** Milliseconds between two looks at the clock. */
const EVERY = 1;

let wall = 0;
let cpu = 0;
let lastWall = performance.now();
let lastCpu = spent();

/** Processor time of this thread, in milliseconds. */
function spent() {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

function look() {
  const nowWall = performance.now();
  const nowCpu = spent();
  wall = Math.max(wall, nowWall - lastWall - EVERY);
  cpu = Math.max(cpu, nowCpu - lastCpu);
  lastWall = nowWall;
  lastCpu = nowCpu;
  setTimeout(look, EVERY).unref(); // oxlint-disable-line no-restricted-globals -- no part of the daemon
}

/** Answers with the longest time, wall and processor, in milliseconds, that the loop was held since the last question. */
process.on('message', () => {
  process.send?.({ wall, cpu });
  wall = 0;
  cpu = 0;
});
// The channel alone must not keep the daemon alive.
process.channel?.unref();
look();
