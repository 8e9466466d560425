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
    try {
      process.getBuiltinModule('node:fs').writeSync(1, require('../package.json').version + '\n');
    } catch (error) {
      if (error.code !== 'EPIPE') process.exitCode = 73; // a full disk: nothing was told
    }
    return;
  }

  // Would end a daemon that is just coming up. It is about to read its job file: what comes before that asks for nothing.
  if (args[0] === 'start' || args[0] === 'worker') process.on('SIGHUP', function () {});

  // The environment as the user set it: for the jobs and the zone of this host.
  var environment = Object.assign({}, process.env);
  // date-fns-tz and Date answer wrongly near clock changes of the host's own zone, so this process has none.
  process.env.TZ = 'UTC';

  var directory = cacheDirectory(environment);
  var warm = { list: 'list.cjs', ls: 'list.cjs', status: 'status.cjs' };
  var own = Object.prototype.hasOwnProperty.call(warm, args[0]) ? warm[args[0]] : undefined;
  var cli;
  try {
    cli =
      own !== undefined && directory !== undefined ? loadWarm(own, directory) : load('cli.cjs', directory);
  } catch (error) {
    if (error.code !== 'MODULE_NOT_FOUND' && error.code !== 'ENOENT') throw error;
    console.error('tsched is not built: run "npm run build" in its directory');
    process.exitCode = 70;
    return;
  }
  cli.main(args, environment);
}

function load(name, directory) {
  if (directory !== undefined) process.getBuiltinModule('node:module').enableCompileCache(directory);
  return require('../dist/' + name);
}

/**
 * Loads a bundle with the code that V8 made of it in an earlier run. Node's compile cache, which the other commands use,
 * keeps the code of what a file does as it is loaded; this keeps that of every function the run came to: a sixth of the
 * time of `tsched list`, which scripts and prompts call all day long, and of `status`.
 */
function loadWarm(name, directory) {
  var fs = process.getBuiltinModule('node:fs');
  var vm = process.getBuiltinModule('node:vm');
  var path = process.getBuiltinModule('node:path').join(__dirname, '../dist', name);
  var source = fs.readFileSync(path, 'latin1'); // the build writes ASCII
  // V8 tells a file by its length alone. The build ends it with a hash of what it holds.
  var place = directory + '/' + name + '-' + process.version + '-' + process.arch + '-' + source.slice(-16);
  var known = kept(place);
  var head = '(function (exports, require, module, __filename) {';
  var script = new vm.Script(head + source + '\n})', {
    filename: path,
    columnOffset: -head.length,
    cachedData: known,
  });
  // Rejected: made under other flags of V8, or damaged. Not kept from a run that failed or went another way: it would lack
  // most of what the next one needs.
  var isWhole = true;
  if (known === undefined || script.cachedDataRejected) {
    process.on('exit', function (code) {
      if (code === 0 && isWhole) keep(place, script.createCachedData());
    });
  }
  var loaded = { exports: {} };
  script.runInThisContext()(loaded.exports, requireFromBundle, loaded, path);
  return loaded.exports;

  function requireFromBundle(id) {
    if (id[0] !== '.') return process.getBuiltinModule(id);
    if (id === './cli.cjs' || id === './live-list.cjs') isWhole = false;
    return load(id, directory);
  }
}

/**
 * V8 runs what it finds there, and crashes on a damaged byte. So everything is there twice, and both must be alike:
 * loading a checksum would take 2 ms, comparing takes none.
 */
function kept(place) {
  var both;
  try {
    both = process.getBuiltinModule('node:fs').readFileSync(place);
  } catch {
    return undefined; // the first run of this build
  }
  var half = both.length / 2;
  return both.length > 0 && both.subarray(0, half).equals(both.subarray(half))
    ? both.subarray(0, half)
    : undefined;
}

function keep(place, data) {
  var fs = process.getBuiltinModule('node:fs');
  var temporary = place + '.' + process.pid;
  try {
    fs.writeFileSync(temporary, Buffer.concat([data, data]), { mode: 384, flag: 'wx' }); // 0o600
    fs.renameSync(temporary, place);
  } catch {
    fs.rmSync(temporary, { force: true }); // full or read-only: the next run takes as long as this one
  }
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
