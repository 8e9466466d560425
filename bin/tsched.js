#!/usr/bin/env node
// Any Node from 10 on can read this file. CommonJS (see package.json beside it), because that starts faster.
'use strict';

var major = Number(process.versions.node.split('.')[0]);

if (major < 24) {
  // 69, EX_UNAVAILABLE: a supporting program is missing. 70 would call it our bug, 64 the user's typing.
  console.error(
    'tsched needs Node.js 24 or newer, but this is ' +
      process.version +
      ' (' +
      process.execPath +
      '). ' +
      'Install it from https://nodejs.org, or use the one of a clone: npm ci && npx tsched',
  );
  process.exitCode = 69;
} else {
  run(process.argv.slice(2));
}

function run(args) {
  // Asked by scripts all day long, and it needs nothing of what follows.
  if (args.length === 1 && (args[0] === '--version' || args[0] === '-V')) {
    process.getBuiltinModule('node:fs').writeSync(1, require('../package.json').version + '\n');
    return;
  }

  // Would end a daemon that is just coming up. It is about to read its job file: what comes before that asks for nothing.
  if (args.indexOf('start') >= 0) process.on('SIGHUP', function () {});

  // The environment as the user set it: for the jobs and the zone of this host.
  var environment = Object.assign({}, process.env);
  // date-fns-tz and Date answer wrongly near clock changes of the host's own zone, so this process has none.
  process.env.TZ = 'UTC';

  var directory = cacheDirectory(environment);
  if (directory !== undefined) process.getBuiltinModule('node:module').enableCompileCache(directory);

  var cli;
  try {
    // What scripts and prompts ask most is a smaller file, which starts sooner.
    cli = args[0] === 'list' || args[0] === 'ls' ? require('../dist/list.cjs') : require('../dist/cli.cjs');
  } catch (error) {
    if (error.code !== 'MODULE_NOT_FOUND') throw error;
    console.error('tsched is not built: run "npm run build" in its directory');
    process.exitCode = 70;
    return;
  }
  cli.main(args, environment);
}

/**
 * Where V8's compiled code may be kept between runs. Who can write there can make us run anything, so: a directory of
 * this user's alone, below a parent that nobody else can exchange; else none.
 */
function cacheDirectory(environment) {
  var fs = process.getBuiltinModule('node:fs');
  var user = process.geteuid ? process.geteuid() : undefined;
  if (user === undefined) return undefined;

  function mine(path) {
    var stat = fs.lstatSync(path, { throwIfNoEntry: false });
    return stat !== undefined && stat.isDirectory() && stat.uid === user && (stat.mode & 18) === 0; // 0o022
  }
  function own(path) {
    if (mine(path)) return path;
    try {
      fs.mkdirSync(path, { mode: 448 }); // 0o700
    } catch {
      return undefined; // read-only, full, or somebody else's: go without
    }
    return path;
  }

  var home = environment.XDG_CACHE_HOME || (environment.HOME ? environment.HOME + '/.cache' : '');
  if (home[0] === '/' && mine(home)) return own(home + '/tsched');
  return own((environment.TMPDIR || '/tmp') + '/tsched-cache-' + user);
}
