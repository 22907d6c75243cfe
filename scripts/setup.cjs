'use strict';
// Installs what Warder needs when it is missing or older than package-lock.json. Runs before `npm start` and the other scripts, on whatever
// Node the machine has: plain old JavaScript, no dependency.
var childProcess = require('child_process');
var crypto = require('crypto');
var fs = require('fs');
var path = require('path');

var root = path.join(__dirname, '..');
var modules = path.join(root, 'node_modules');
var marker = path.join(modules, '.warder-setup');
var lock = path.join(root, '.warder-setup.lock');
var oldestNode = 20;
var progressMs = 5000;
var lockPollMs = 250;

function fail(message, remedy) {
  process.stderr.write('warder: ' + message + '\n  ' + remedy + '\n');
  process.exit(2);
}

/** What is installed must fit this: the lock file, and the platform whose packages npm chose. */
function wanted() {
  var text = fs.readFileSync(path.join(root, 'package-lock.json'));
  return crypto
    .createHash('sha256')
    .update(text)
    .update(process.platform + '-' + process.arch)
    .digest('hex');
}

function read(file) {
  try {
    return fs.readFileSync(file, 'utf8').trim();
  } catch {
    return undefined;
  }
}

function isMusl() {
  if (process.platform !== 'linux') return false;
  if (fs.existsSync('/etc/alpine-release')) return true;
  return (
    fs.existsSync('/lib/ld-musl-' + (process.arch === 'arm64' ? 'aarch64' : 'x86_64') + '.so.1') &&
    !fs.existsSync('/lib64/ld-linux-x86-64.so.2') &&
    !fs.existsSync('/lib/ld-linux-aarch64.so.1')
  );
}

function checkMachine() {
  if (Number(process.versions.node.split('.')[0]) < oldestNode) {
    fail(
      'Node ' + process.versions.node + ' is too old to install Warder',
      'Install Node ' + oldestNode + ' or newer; Warder brings the Node it runs on with it.',
    );
  }
  if (isMusl()) {
    fail(
      'this system uses musl instead of glibc',
      'The Node and the PostgreSQL that come with Warder need glibc: use Debian, Ubuntu, Fedora or the like, x64 or arm64.',
    );
  }
}

/** `npm exec -- warder` finds it there, also without network. */
function linkCommand() {
  var bin = path.join(modules, '.bin', 'warder');
  var target = path.join('..', '..', 'bin', 'warder.cjs');
  try {
    if (fs.readlinkSync(bin) === target) return;
    fs.unlinkSync(bin);
  } catch {
    // Not there yet, or not a link.
  }
  fs.mkdirSync(path.dirname(bin), { recursive: true });
  try {
    fs.symlinkSync(target, bin);
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  }
}

/** A plain `npm ci` leaves npm's own list, newer than the lock file, and the bundled Node: nothing to do then. */
function installedByHand() {
  try {
    var list = fs.statSync(path.join(modules, '.package-lock.json'));
    var wish = fs.statSync(path.join(root, 'package-lock.json'));
    var node = path.join(modules, 'node-' + process.platform + '-' + process.arch, 'bin', 'node');
    return list.mtimeMs >= wish.mtimeMs && (process.platform !== 'linux' || fs.existsSync(node));
  } catch {
    return false;
  }
}

function explain(output) {
  if (/ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNREFUSED|ECONNRESET|ENETUNREACH|network/.test(output)) {
    fail(
      'npm could not reach its registry',
      'Connect to the network (or tell npm about your proxy or mirror: `npm config set registry …`) and start again.',
    );
  }
  if (/EACCES|EROFS|EPERM/.test(output)) {
    fail('npm may not write to ' + modules, 'Run it as the owner of ' + root + ', or copy the checkout to a folder of your own.');
  }
  if (/ENOSPC/.test(output)) fail('the disk is full', 'Free about 500 MB and start again.');
  fail('installing the dependencies failed', 'See the messages above; `npm ci --ignore-scripts` in ' + root + ' shows them again.');
}

function install(done) {
  var started = Date.now();
  process.stderr.write('warder: installing dependencies, once (about a minute on a slow line) …\n');
  var ticker = setInterval(function () {
    process.stderr.write('warder: still installing, ' + Math.round((Date.now() - started) / 1000) + ' s …\n');
  }, progressMs);
  var args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  var npm = process.env.npm_execpath;
  var child = npm
    ? childProcess.spawn(process.execPath, [npm].concat(args), { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] })
    : childProcess.spawn('npm', args, { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] });
  var output = '';
  child.stderr.on('data', function (piece) {
    output = (output + piece).slice(-20000);
    process.stderr.write(piece);
  });
  child.on('error', function () {
    clearInterval(ticker);
    fs.rmSync(lock, { force: true });
    fail('npm was not found', 'Install npm and start again.');
  });
  child.on('close', function (code) {
    clearInterval(ticker);
    if (code !== 0) {
      fs.rmSync(lock, { force: true });
      explain(output);
    }
    process.stderr.write('warder: installed in ' + Math.round((Date.now() - started) / 1000) + ' s\n');
    done();
  });
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** One at a time; another start that installs is waited for, a dead one's lock is taken. */
function withLock(work) {
  try {
    fs.writeFileSync(lock, String(process.pid), { flag: 'wx' });
  } catch (error) {
    if (error.code !== 'EEXIST') explain(error.code);
    var holder = Number(read(lock));
    if (holder && !isAlive(holder)) fs.rmSync(lock, { force: true });
    setTimeout(function () {
      withLock(work);
    }, lockPollMs);
    return;
  }
  ['SIGINT', 'SIGTERM'].forEach(function (name) {
    process.on(name, function () {
      fs.rmSync(lock, { force: true });
      process.exit(130);
    });
  });
  work(function () {
    fs.rmSync(lock, { force: true });
  });
}

function finish() {
  linkCommand();
  fs.writeFileSync(marker, wanted() + '\n');
}

function main() {
  if (read(marker) === wanted()) return;
  checkMachine();
  if (installedByHand()) {
    try {
      finish();
    } catch {
      // Somebody else's or a read-only checkout, complete as it is; only the marker that makes this quicker cannot be written.
    }
    return;
  }
  withLock(function (unlock) {
    // Somebody else may have done it while we waited.
    if (read(marker) === wanted()) return unlock();
    install(function () {
      finish();
      unlock();
    });
  });
}

main();
