#!/usr/bin/env node
'use strict';
// Runs src/main.ts on the Node that Warder brings along. Plain old JavaScript: the machine's own Node may be an old one.
var childProcess = require('child_process');
var fs = require('fs');
var path = require('path');

var root = path.join(__dirname, '..');
var main = path.join(root, 'src', 'main.ts');
// Beside the code it belongs to: whoever can write there can change the code as well.
var compileCache = path.join(root, 'node_modules', '.cache', 'warder');

/** The major version from which Node runs the sources as they are. */
var majorNeeded = 24;

function bundledNode() {
  var file = path.join(root, 'node_modules', 'node-' + process.platform + '-' + process.arch, 'bin', 'node');
  return fs.existsSync(file) ? file : undefined;
}

function isNewEnough() {
  return Number(process.versions.node.split('.')[0]) >= majorNeeded;
}

/** npm puts the bundled Node first in the path, so usually this is it already. */
function runHere() {
  var cache = process.env.NODE_COMPILE_CACHE || compileCache;
  process.env.NODE_COMPILE_CACHE = cache;
  require('module').enableCompileCache(cache);
  process.argv[1] = main;
  import(require('url').pathToFileURL(main).href).catch(function (error) {
    process.stderr.write('warder: ' + (error && error.stack ? error.stack : error) + '\n');
    process.exit(70);
  });
}

function runThere(node) {
  // Descriptor 3 closes when this process ends, however it ends: what it started then stops too.
  var environment = Object.assign({ NODE_COMPILE_CACHE: compileCache }, process.env, { WARDER_LEASH: '3' });
  var args = ['--disable-warning=ExperimentalWarning', main].concat(process.argv.slice(2));
  var child = childProcess.spawn(node, args, { stdio: ['inherit', 'inherit', 'inherit', 'pipe'], env: environment });
  // A key like Ctrl-C reaches the child by itself, being in the same process group; a signal sent to this process only is passed on.
  ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'].forEach(function (name) {
    process.on(name, function () {
      if ((name === 'SIGINT' || name === 'SIGQUIT') && process.stdin.isTTY) return;
      child.kill(name);
    });
  });
  child.on('error', function (error) {
    process.stderr.write('warder: cannot run ' + node + ': ' + error.message + '\n');
    process.exit(2);
  });
  child.on('exit', function (code, signal) {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

var node = bundledNode();
if (isNewEnough()) {
  runHere();
} else if (node !== undefined) {
  runThere(node);
} else {
  process.stderr.write(
    'warder: the Node ' +
      majorNeeded +
      ' that Warder brings along is not installed, and this is Node ' +
      process.versions.node +
      '\n' +
      '  Run `npm ci --ignore-scripts` in ' +
      root +
      ', or use Node ' +
      majorNeeded +
      ' or newer.\n',
  );
  process.exit(2);
}
