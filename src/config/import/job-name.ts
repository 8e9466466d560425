/** Programs that run another, and words of the shell: no name for a job. */
const WRAPPERS = new Set(
  `[ [[ test if then else ! { ( exec command env sudo nice ionice chronic nohup setsid time timeout flock sh bash dash zsh php
  python python3 perl node ruby java run-parts root true false`.split(/\s+/),
);

/** Variables that are set for a command alone. */
const ASSIGNMENTS = /^(?:\w+=(?:"[^"]*"|'[^']*'|[^\s"'])*\s+)+/;

/** What a command may be called by: the program that it is about. Any text; not yet an id. */
export function nameOf(command: string): string {
  const words = command
    .replace(ASSIGNMENTS, '')
    .split(/[\s;&|()`"'<>]+/)
    .filter((word) => word !== '');
  let previous = '';
  for (const word of words) {
    const before = previous;
    previous = word;
    // Where it goes first, or what it asks to be there, is not what it is about.
    if (before === 'cd' || before === '.' || before === 'source' || /^-[a-z]$/.test(before)) continue;
    const base = word.replace(/\/+$/, '').replace(/^.*\//, '');
    if (
      /^(?:cd|\.|source)$/.test(word) ||
      /^[-$]|^\w+=|^[\d.]+\w?$|^\/dev\//.test(word) ||
      WRAPPERS.has(base)
    )
      continue;
    const name = base.replace(/\.(?:sh|bash|py|pl|php|rb|js|mjs|ts|jar)$/, '');
    if (/[A-Za-z0-9]/.test(name)) return name;
  }
  return '';
}
