#!/usr/bin/env node
'use strict';
// Runs src/main.ts on the Node that Warder brings along. Plain old JavaScript: the machine's own Node may be an old one.
var childProcess = require('child_process');
var fs = require('fs');
var path = require('path');

var root = path.join(__dirname, '..');

function runtime() {
  var names = ['node-' + process.platform + '-' + process.arch];
  for (var i = 0; i < names.length; i += 1) {
    var file = path.join(root, 'node_modules', names[i], 'bin', 'node');
    if (fs.existsSync(file)) return file;
  }
  // Another platform: the machine's own Node will do when it runs TypeScript as it is.
  var version = process.versions.node.split('.').map(Number);
  if (version[0] >= 24) return process.execPath;
  process.stderr.write(
    'warder: the Node 24 that Warder brings along is not installed, and this is Node ' + process.versions.node + '\n' +
      '  Run `npm ci --ignore-scripts` in ' + root + ', or use Node 24 or newer.\n'
  );
  process.exit(2);
}

function main() {
  var environment = Object.assign({}, process.env);
  // Beside the code it belongs to: whoever can write there can change the code as well.
  if (!environment.NODE_COMPILE_CACHE) environment.NODE_COMPILE_CACHE = path.join(root, 'node_modules', '.cache', 'warder');
  var args = ['--disable-warning=ExperimentalWarning', path.join(root, 'src', 'main.ts')].concat(process.argv.slice(2));
  var child = childProcess.spawn(runtime(), args, { stdio: 'inherit', env: environment });
  // A signal of the terminal reaches the child by itself (same process group); one sent to this process only is passed on.
  ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'].forEach(function (name) {
    process.on(name, function () {
      if (name === 'SIGINT' && process.stdin.isTTY) return;
      child.kill(name);
    });
  });
  child.on('error', function (error) {
    process.stderr.write('warder: cannot run ' + runtime() + ': ' + error.message + '\n');
    process.exit(2);
  });
  child.on('exit', function (code, signal) {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

main();
