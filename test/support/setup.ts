/**
 * Before any test: the two programs that cause real faults, strace and libfaketime. Where the machine has not got them, Debian's
 * packages are unpacked beside the dependencies, as root or not, without touching the system. Where that is impossible
 * too, the tests that need them fail and say so.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, globSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const tools = join(import.meta.dirname, '../../node_modules/.cache/test-tools');

export default function setup(): void {
  const strace = spawnSync('strace', ['-V'], { stdio: 'ignore' }).status === 0;
  let faketime = find('/usr/lib');
  if (strace && faketime !== undefined) {
    process.env['TSCHED_TEST_LIBFAKETIME'] = faketime;
    return;
  }
  if (!existsSync(join(tools, 'root/usr/bin/strace'))) unpack();
  faketime ??= find(join(tools, 'root/usr/lib'));
  if (faketime !== undefined) process.env['TSCHED_TEST_LIBFAKETIME'] = faketime;
  if (!strace) process.env['PATH'] = `${wrapStrace()}:${process.env['PATH'] ?? ''}`;
}

function find(base: string): string | undefined {
  const [found] = globSync(`${base}/{,*-linux-gnu/,*-linux-musl/}faketime/libfaketime.so.1`);
  return found;
}

/** strace needs libraries that lie beside it. */
function wrapStrace(): string {
  const [libraries = ''] = globSync(join(tools, 'root/usr/lib/*-linux-gnu'));
  const directory = join(tools, 'bin');
  mkdirSync(directory, { recursive: true });
  const wrapper = `#!/bin/sh\nLD_LIBRARY_PATH='${libraries}' exec '${join(tools, 'root/usr/bin/strace')}' "$@"\n`;
  writeFileSync(join(directory, 'strace'), wrapper);
  chmodSync(join(directory, 'strace'), 0o755);
  return directory;
}

/** apt works without root as long as all it writes is ours. */
function unpack(): void {
  const script = `set -e
mkdir -p lists/partial cache/archives/partial debs root
set -- -qq -o Dir::State="$PWD" -o Dir::State::lists="$PWD/lists" -o Dir::Cache="$PWD/cache" -o Debug::NoLocking=1 -o APT::Sandbox::User=
apt-get "$@" update
cd debs
apt-get "$@" download faketime libfaketime strace libunwind8
for package in *.deb; do dpkg -x "$package" ../root; done`;
  mkdirSync(tools, { recursive: true });
  const { status, stderr } = spawnSync('sh', ['-c', script], {
    cwd: tools,
    encoding: 'utf8',
    timeout: 180_000,
  });
  if (status === 0) return;
  console.warn(
    `tests that need strace or libfaketime will fail: install both (apt-get: ${stderr.trim().split('\n').at(-1) ?? ''})`,
  );
}
