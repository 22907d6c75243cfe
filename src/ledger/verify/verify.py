#!/usr/bin/env python3
"""Verifies a Warder ledger, or the proof of one record, from files alone.

    verify.py FOLDER|URL...        ledgers: the folders that hold `checkpoint`, or where they are published; what several say together is
                                   compared too
    verify.py --proof FILE         one record (a C2SP tlog-proof)
    verify.py --evidence PATH      the evidence of one session: an archive, or the folder it was unpacked into
      --key VKEY    a key that may have signed (may be repeated); --trust FILE reads keys from a trust.json
      --policy FILE which logs, and how many witnesses, are believed (C2SP tlog-policy), instead of keys
      --since FILE  a checkpoint kept from earlier, which the log must still contain
      --json        the report as JSON

Exit status: 0 proven, 1 tampered, 2 consistent but incomplete, 3 cannot be read.

This is the second verifier, written after docs/formats and sharing nothing with the first, so that a mistake in one shows as a
disagreement. It needs Python 3.9 and its standard library; when the package `cryptography` is there, signatures are checked faster.
"""
import argparse
import base64
import functools
import hashlib
import json
import mmap
import os
import re
import struct
import sys
import urllib.error
import urllib.parse
import urllib.request
import zlib

SAFE = 2**53 - 1
ENTRY_MAX = 16 * 1024
ZEROS = "0" * 64
SPACE = "\t\n\x0b\x0c\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


# ---- Ed25519, RFC 8032 §5.1.7 -------------------------------------------------------------------------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def recover_x(y, sign):
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    return P - x if x & 1 != sign else x


def decode_point(data):
    number = int.from_bytes(data, "little")
    y, sign = number & ((1 << 255) - 1), number >> 255
    x = recover_x(y, sign)
    return None if x is None else (x, y, 1, x * y % P)


def encode_point(point):
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def add_points(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def multiply(scalar, point):
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = add_points(result, point)
        point = add_points(point, point)
        scalar >>= 1
    return result


BASE = decode_point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def plain_ed25519(public, message, signature):
    if len(signature) != 64:
        return False
    point, s = decode_point(public), int.from_bytes(signature[32:], "little")
    if point is None or s >= L:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    minus = (P - point[0], point[1], 1, P - point[3])
    return encode_point(add_points(multiply(s, BASE), multiply(h, minus))) == signature[:32]


try:
    if os.environ.get("WARDER_VERIFY_PLAIN"):
        raise ImportError
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    def ed25519(public, message, signature):
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
            return True
        except (InvalidSignature, ValueError):
            return False
except ImportError:
    ed25519 = plain_ed25519


# ---- Text -----------------------------------------------------------------------------------------------------------------------


def to_text(data):
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def refuse_constant(name):
    raise ValueError(name)


def parse_json(text):
    """The value, or None for what is not JSON. (No caller has a use for `null`.)"""
    if text is None:
        return None
    try:
        # A number too long for a double is no whole number of a record either.
        return json.loads(text, parse_constant=refuse_constant, parse_int=lambda d: int(d) if len(d) < 20 else float("inf"))
    except (ValueError, RecursionError):
        return None


def from_base64(text):
    """Strict: None unless encoding the result gives the same text."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return data if base64.b64encode(data).decode() == text else None


# ---- Signed notes, docs/formats/checkpoint.md -----------------------------------------------------------------------------------

ED25519, COSIGNATURE = 1, 4


class Key:
    def __init__(self, vkey, name, ident, kind, public):
        self.vkey, self.name, self.id, self.kind, self.public = vkey, name, ident, kind, public


def parse_vkey(vkey):
    found = re.fullmatch("([^+%s]+)\\+([0-9a-f]{8})\\+([^%s]+)" % (SPACE, SPACE), vkey)
    typed = from_base64(found[3]) if found else None
    if typed is None or len(typed) != 33 or typed[0] not in (ED25519, COSIGNATURE):
        return None
    ident = sha256(found[1].encode("utf-8", "replace"), b"\n", typed)[:4]
    return Key(vkey, found[1], ident, typed[0], typed[1:]) if ident.hex() == found[2] else None


def open_note(note, keys):
    """(text, keys that signed, {witness: seconds}, keys of witnesses) of a note, or a sentence that says what is wrong with it."""
    split = note.rfind("\n\n")
    if split < 0 or not note.endswith("\n"):
        return "is not a signed note"
    text = note[: split + 1]
    signers, witnesses, cosigners = [], {}, set()
    for line in note[split + 2 : -1].split("\n"):
        found = re.fullmatch("\u2014 ([^%s]+) ([^%s]+)" % (SPACE, SPACE), line)
        data = from_base64(found[2]) if found else None
        if data is None:
            return "has a malformed signature line"
        key = next((k for k in keys if k.name == found[1] and k.id == data[:4]), None)
        if key is None:
            # A witness's name with the id of nobody, or the other way round: a line that was changed, not one by a stranger.
            half = [k for k in keys if k.kind == COSIGNATURE and (k.name == found[1] or k.id == data[:4])]
            if half:
                return "has a changed signature by %s" % half[0].vkey
            continue
        message, signature = text.encode("utf-8", "surrogatepass"), data[4:]
        if key.kind == COSIGNATURE:
            seconds = int.from_bytes(signature[:8], "big")
            message, signature = b"cosignature/v1\ntime %d\n" % seconds + message, signature[8:]
            witnesses[key.name] = seconds
            cosigners.add(key.vkey)
        else:
            signers.append(key)
        if not ed25519(key.public, message, signature):
            return "has a wrong signature by %s" % key.vkey
    return (text, signers, witnesses, cosigners)


class Checkpoint:
    def __init__(self, origin, size, root, witnesses, cosigners):
        self.origin, self.size, self.root, self.witnesses, self.cosigners = origin, size, root, witnesses, cosigners


def open_checkpoint(note, keys):
    """The checkpoint that a key of the log has signed, or what is wrong with it."""
    opened = open_note(note, keys)
    if isinstance(opened, str):
        return opened
    text, signers, witnesses, cosigners = opened
    if not signers:
        return "is not signed by a key that is trusted"
    lines = text.split("\n")
    root = from_base64(lines[2]) if len(lines) == 4 else None
    if root is None or len(root) != 32 or not re.fullmatch("[1-9][0-9]{0,14}", lines[1]):
        return "is not a checkpoint"
    return Checkpoint(lines[0], int(lines[1]), root, witnesses, cosigners)


# ---- Policies, C2SP tlog-policy -------------------------------------------------------------------------------------------------


class Policy:
    """Whose signatures are believed, and how many witnesses it takes. Raises ValueError with the line that is wrong."""

    def __init__(self, text):
        self.vkeys, self.named, self.members, self.rule = [], {}, set(), None
        self.public = {ED25519: set(), COSIGNATURE: set()}
        if re.search("[^\t\n\x20-\x7e\x80-\U0010ffff]", text):
            raise ValueError("the policy has control characters")
        for number, line in enumerate(text.split("\n"), 1):
            items = re.split("[ \t]+", line.strip(" \t"))
            if items == [""] or items[0].startswith("#"):
                continue
            take = {"log": self.log, "witness": self.witness, "group": self.group, "quorum": self.last}.get(items[0])
            if take is None or not take(items[1:]):
                raise ValueError("line %d of the policy is wrong" % number)
        if self.rule is None:
            raise ValueError("the policy has no quorum")

    def quorum(self, cosigners):
        return self.rule(cosigners)

    def key(self, vkey, kind):
        key = parse_vkey(vkey)
        if key is None or key.kind != kind or key.public in self.public[kind]:
            return False
        self.public[kind].add(key.public)
        self.vkeys.append(vkey)
        return True

    def free(self, name):
        return name != "none" and name not in self.named

    def log(self, items):
        return 1 <= len(items) <= 2 and self.key(items[0], ED25519)

    def witness(self, items):
        if not 2 <= len(items) <= 3 or not self.free(items[0]) or not self.key(items[1], COSIGNATURE):
            return False
        self.named[items[0]] = lambda cosigners, vkey=items[1]: vkey in cosigners
        return True

    def group(self, items):
        if len(items) < 3 or not self.free(items[0]):
            return False
        rules = []
        for member in items[2:]:
            if member not in self.named or member in self.members:
                return False
            self.members.add(member)
            rules.append(self.named[member])
        numeric = int(items[1]) if re.fullmatch("[1-9][0-9]{0,3}", items[1]) else 0
        wanted = {"all": len(rules), "any": 1}.get(items[1], numeric)
        self.named[items[0]] = lambda cosigners: sum(1 for rule in rules if rule(cosigners)) >= wanted
        return 1 <= wanted <= len(rules)

    def last(self, items):
        if len(items) != 1 or self.rule is not None:
            return False
        self.rule = (lambda cosigners: True) if items[0] == "none" else self.named.get(items[0])
        return self.rule is not None


# ---- Tree, RFC 6962 §2.1 ----------------------------------------------------------------------------------------------------------


def leaf_hash(entry):
    return sha256(b"\0", entry)


def node_hash(left, right):
    return sha256(b"\1", left, right)


class Tree:
    """Grows by leaves; knows its root at every size, and every hash that belongs in a tile of a level above 0."""

    def __init__(self):
        self.size = 0
        self.peaks = []
        self.filling = {}  # level -> hashes of the tile that is being filled
        self.filled = []  # (level, number, hashes)

    def add(self, leaf):
        self.grow(leaf, 0)
        self.size += 1

    def add_tile(self, node):
        """256 leaves of which only the hash over all is known."""
        self.grow(node, 8)
        self.size += 256

    def grow(self, node, power):
        while True:
            if power % 8 == 0 and power > 0:
                tile = self.filling.setdefault(power // 8, [])
                tile.append(node)
                if len(tile) == 256:
                    self.filled.append((power // 8, (self.size >> power) // 256, tile))
                    self.filling[power // 8] = []
            while power >= len(self.peaks):
                self.peaks.append(None)
            if self.peaks[power] is None:
                self.peaks[power] = node
                return
            node, self.peaks[power] = node_hash(self.peaks[power], node), None
            power += 1

    def root(self):
        root = None
        for peak in self.peaks:
            if peak is not None:
                root = peak if root is None else node_hash(peak, root)
        return root if root is not None else sha256()


def tile_path(level, number):
    digits = str(number)
    digits = digits.zfill((len(digits) + 2) // 3 * 3)
    groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
    return "/".join(["tile", str(level)] + ["x" + g for g in groups[:-1]] + groups[-1:])


# ---- Records, docs/formats/record.md ----------------------------------------------------------------------------------------------


def shape(text):
    """`name:type name?:type …` as a list of fields."""
    return [(n.rstrip("?"), n.endswith("?"), KINDS_OF.get(t, t)) for n, t in (part.split(":") for part in text.split())]


def one_of(*words):
    return ("one of", words)


def many(inner):
    return ("list", inner)


def each(inner):
    return ("map", inner)


VERDICT = one_of("allow", "deny", "pending")
KINDS_OF = {"texts": many("text"), "counts": many("count"), "verdict": VERDICT}
KINDS_OF["certainty"] = one_of("parsed", "partial", "opaque")
KINDS_OF["status"] = one_of("done", "error", "refused", "cut", "cancelled", "in-doubt")
KINDS_OF["masked"] = each("count")
KINDS_OF["reads"] = each("whole")
KINDS_OF["subject"] = shape("subject:text onBehalfOf?:text")
KINDS_OF["bundle"] = shape("name:text version:text digest:text")
KINDS_OF["evidence"] = shape("commit:hash bytes:count key:text sealed?:text blob?:hash")
KINDS_OF["matched"] = many(shape("rule:text effect:text mode:text by?:text"))
KINDS_OF["requirements"] = many(shape("rule:text reason:text bound:text"))
KINDS_OF["shadow"] = shape("verdict:verdict rules:texts")
KINDS_OF["errors"] = many(shape("rule:text part:text path?:text message:text"))
KINDS_OF["facts"] = many(shape("fact:text engine:text digest:text status:text answer?:text because?:text latencyUs:count"))
KINDS_OF["rolloutStatus"] = one_of("running", "held", "rolled_back", "complete")
KINDS_OF["side"] = one_of("candidate", "current")
KINDS_OF["rollout"] = shape("name:text step:count side:side failed?:flag other?:shadow")
KINDS_OF["decision"] = shape(
    "id:text verdict:verdict reason:text rules:texts matched:matched obligations:texts requirements?:requirements bundle:bundle"
    " shadow?:shadow errors?:errors reads:reads rollout?:rollout tookUs?:count facts?:facts"
)
KINDS_OF["outcome"] = shape(
    "status:status rows:count rowsChanged?:count bytesUp:count bytesDown:count code?:text masked:masked rowsWithheld:count"
    " durationMs:count rules:texts"
)
KINDS_OF["who"] = shape("subject:text groups:texts onBehalfOf?:text authentication:text token?:text source:text")
KINDS_OF["claimant"] = shape("claimed:text source:text")
KINDS_OF["client"] = shape("point:text resource:text client:text")
KINDS_OF["door"] = shape("point:text resource:text")
KINDS_OF["work"] = shape(
    "target:text resource:text verb:text objects:texts normalized:text normalizedCut?:flag certainty:certainty unknown?:texts"
)
KINDS_OF["asked"] = shape("resource:text rules:texts bound:texts")
KINDS_OF["recording"] = one_of("required", "best_effort")
KINDS_OF["reading"] = one_of("evidence.read", "recording.read", "recording.export")
KINDS_OF["recorded"] = one_of("whole", "failed")
KINDS_OF["stored"] = shape("bytes:count commit:hash sealed?:text at?:count hash?:hash")
KINDS_OF["extent"] = shape("chunks:count bytes:count")
KINDS_OF["ahead"] = shape("operations:count ms:count")
KINDS_OF["grant"] = shape("grant:text request:text record?:text uses?:count")

EVERY = shape("v:count i:count prev:text t:integer mono:integer boot:text node:text build:text nonce:text kind:text")
APPROVAL_END = shape("session:text request:text operation:text by:text comment?:text")
ADMIN = shape("by:text action:text object:text")
ALARM = shape("alarm:text object:text message:text")
KINDS = {
    "log.opened": shape("vkey:text continues?:text reason?:text"),
    "log.recovered": shape("torn:count inDoubt:counts inDoubtTotal:count lostSessions?:count"),
    "log.heartbeat": [],
    "log.witnessed": shape("log:text size:count root:text vkey:text cosignature:text"),
    "log.pruned": shape("from:count to:count by:text reason:text holds:texts"),
    "log.sealed": shape("by:text reason:text"),
    "key.rotated": shape("previous:text vkey:text signature:text accepted:text"),
    "alarm.raised": ALARM,
    "alarm.cleared": ALARM,
    "clock.stepped": shape("byMs:integer"),
    "session.opened": shape("session:text who:who what:client policy:text"),
    "session.refused": shape("session:text who:claimant what:door reason:text"),
    "session.closed": shape("session:text reason:text operations:count bytesUp:count bytesDown:count"),
    "session.lost": shape("session:text operations:count ahead?:ahead recording?:extent"),
    "operation.decided": shape(
        "session:text operation:text n:count who:subject what:work evidence:evidence decision:decision recording?:recording approval?:grant"
        " ahead?:ahead"
    ),
    "operation.settled": shape("session:text operation:text n:count for:count outcome:outcome"),
    "operation.indoubt": shape("session:text operation:text n:count for:count"),
    "approval.requested": shape("session:text request:text operation:text who:subject what:asked evidence:evidence expiresAt:integer"),
    "approval.granted": shape(
        "session:text request:text operation:text grant:text approvers:texts requester:text bound:texts comment?:text expiresAt:integer"
        " uses?:count"
    ),
    "approval.answered": APPROVAL_END,
    "approval.escalated": shape("session:text request:text operation:text rules:texts reviewers:texts expiresAt:integer"),
    "approval.refused": APPROVAL_END,
    "approval.expired": APPROVAL_END,
    "approval.withdrawn": APPROVAL_END,
    "approval.used": APPROVAL_END,
    "policy.activated": shape("bundle:bundle candidate?:bundle previous?:text by:text documents:count"),
    "rollout.moved": shape("rollout:text bundle:bundle step:count status:rolloutStatus by:text reason:text"),
    "policy.rejected": shape("by:text digest?:text problems:count first:text"),
    "admin.token": ADMIN,
    "admin.resource": ADMIN,
    "admin.session": ADMIN,
    "admin.configuration": ADMIN,
    "recording.read": shape(
        "by:text session:text operations:count action?:reading decision?:decision chunks?:count manifest?:text"
    ),
    "recording.chunk": shape("session:text chunk:count from:integer to:integer in:count out:count stored:stored"),
    "recording.closed": shape("session:text status:recorded reason?:text chunks:count bytes:count"),
    "evidence.shredded": shape("session:text by:text reason:text"),
}


def is_integer(value):
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) <= SAFE and value == int(value)


def is_whole(value):
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return True
    if isinstance(value, (int, float)):
        return is_integer(value)
    return all(is_whole(member) for member in (value.values() if isinstance(value, dict) else value))


SIMPLE = {
    "text": lambda value: isinstance(value, str),
    "hash": lambda value: isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None,
    "count": lambda value: is_integer(value) and value >= 0,
    "integer": is_integer,
    "flag": lambda value: isinstance(value, bool),
    "whole": is_whole,
}


def fits(value, wanted):
    if isinstance(wanted, str):
        return SIMPLE[wanted](value)
    if isinstance(wanted, list):
        return isinstance(value, dict) and all((n not in value and o) or (n in value and fits(value[n], s)) for n, o, s in wanted)
    kind, inner = wanted
    if kind == "one of":
        return isinstance(value, str) and value in inner
    if kind == "list":
        return isinstance(value, list) and all(fits(member, inner) for member in value)
    return isinstance(value, dict) and all(fits(member, inner) for member in value.values())


def record_problem(value):
    if not isinstance(value, dict):
        return "is not a JSON object"
    if not fits(value, EVERY):
        return "lacks a field that every record has"
    if value["v"] != 1:
        return "has version %s, which this verifier does not know" % value["v"]
    if value["kind"] not in KINDS:
        return "is of kind %s, which this verifier does not know" % json.dumps(value["kind"])
    return None if fits(value, KINDS[value["kind"]]) else "does not have the fields of %s" % value["kind"]


# ---- Findings -----------------------------------------------------------------------------------------------------------------------


class Findings:
    def __init__(self):
        self.list = []
        self.counts = {"tampered": 0, "hole": 0, "note": 0}

    def add(self, severity, what, message, index=None):
        self.counts[severity] += 1
        if self.counts[severity] <= 100:
            self.list.append({"severity": severity, "what": what, "message": message, **({} if index is None else {"index": index})})

    def tampered(self, what, message, index=None):
        self.add("tampered", what, message, index)


class Folder:
    def __init__(self, root):
        self.root = root

    def read(self, path):
        try:
            with open(os.path.join(self.root, path), "rb") as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None

    def part(self, path, offset, length):
        try:
            with open(os.path.join(self.root, path), "rb") as file:
                file.seek(offset)
                return file.read(length)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None

    def list(self, path):
        try:
            return os.listdir(os.path.join(self.root, path))
        except (FileNotFoundError, NotADirectoryError):
            return []


class SameServer(urllib.request.HTTPRedirectHandler):
    """Follows a redirect or two, but to nobody else: a log that names another server would have us ask there."""

    max_redirections = max_repeats = 2

    def redirect_request(self, request, fp, code, msg, headers, newurl):
        before, after = urllib.parse.urlsplit(request.full_url), urllib.parse.urlsplit(newurl)
        if (before.scheme, before.netloc) != (after.scheme, after.netloc):
            raise OSError("%s redirects to another server, %s" % (request.full_url, newurl))
        return super().redirect_request(request, fp, code, msg, headers, newurl)


class Url:
    """A log that is published as static files. Folders cannot be listed there, so the write-ahead log and narrower tiles are not looked at."""

    LARGEST = {"checkpoints.log": 1 << 30}  # a line a second for a month
    LARGE = 1 << 23  # twice a bundle of the largest entries

    def __init__(self, root):
        self.root = root.rstrip("/") + "/"
        self.opener = urllib.request.build_opener(SameServer)

    def read(self, path):
        return self.get(path, {}, self.LARGEST.get(path, self.LARGE))

    def part(self, path, offset, length):
        if not length:
            return b""
        data = self.get(path, {"Range": "bytes=%d-%d" % (offset, offset + length - 1)}, length, offset)
        return data

    def list(self, path):
        return []

    def get(self, path, headers, most, offset=None):
        url = self.root + urllib.parse.quote(path)
        try:
            with self.opener.open(urllib.request.Request(url, headers=headers), timeout=30) as answer:
                if offset is not None and answer.status == 200:  # it does not know ranges
                    skipped = 0
                    while skipped < offset:
                        piece = answer.read(min(1 << 20, offset - skipped))
                        if not piece:
                            return b""
                        skipped += len(piece)
                    return answer.read(most)
                data = answer.read(most + 1)
        except urllib.error.HTTPError as error:
            if error.code in (404, 410):
                return None
            if error.code == 416:  # the part begins at or after the end
                return b""
            raise OSError("%s was answered with status %d" % (url, error.code)) from error
        if len(data) > most:
            raise OSError("%s is larger than %d bytes" % (url, most))
        return data


def source_at(place):
    return Url(place) if re.match("https?://", place) else Folder(place)


# ---- What records say together, docs/formats/record.md -----------------------------------------------------------------------------


class Approvals:
    def __init__(self, findings):
        self.findings = findings
        self.requests = {}
        self.released = {}
        self.after_gap = False

    def gap(self):
        self.after_gap = True
        self.requests.clear()
        self.released.clear()

    def bad(self, message, index):
        self.findings.tampered("approval", message, index)

    def take(self, record, index):
        kind, name = record["kind"], record.get("request")
        if not kind.startswith("approval."):
            return
        if kind == "approval.requested":
            if name in self.requests:
                self.bad("request %s is made twice" % name, index)
            self.requests[name] = {"asked": record, "left": 0, "granted": False, "ended": None, "expiresAt": record["expiresAt"], "escalated": set()}
            return
        request = self.requests.get(name)
        if request is None and self.after_gap:
            return
        if request is None:
            return self.bad("%s for request %s, which was never made" % (kind, name), index)
        asked = request["asked"]
        if asked["operation"] != record["operation"] or asked["session"] != record["session"]:
            self.bad("%s for request %s names another operation than the request" % (kind, name), index)
        if kind == "approval.granted":
            self.grant(record, request, index)
        elif kind == "approval.used":
            if not request["granted"]:
                return self.bad("request %s is used but was not granted" % name, index)
            request["left"] -= 1
            if request["left"] < 0:
                self.bad("request %s is used more often than granted" % name, index)
        elif kind == "approval.escalated":
            self.escalate(record, request, index)
        elif kind == "approval.answered":
            self.refuse_own(asked, [record["by"]], index)
        elif request["ended"] is None:
            request["ended"] = kind

    def grant(self, record, request, index):
        asked, name = request["asked"], record["request"]
        if request["ended"] is not None:
            self.bad("request %s is granted after %s" % (name, request["ended"]), index)
        if record["t"] > request["expiresAt"]:
            self.bad("request %s is granted after it expired" % name, index)
        if record["requester"] != asked["who"]["subject"]:
            self.bad("request %s was made by somebody else" % name, index)
        self.refuse_own(asked, record["approvers"], index)
        if not record["approvers"] or len(set(record["approvers"])) != len(record["approvers"]):
            self.bad("request %s is granted by nobody, or counts an approver twice" % name, index)
        if any(bound not in asked["what"]["bound"] for bound in record["bound"]):
            self.bad("request %s is granted for something else than was asked" % name, index)
        request["granted"] = True
        request["left"] += record.get("uses", 1) * max(1, len(record["bound"]))

    def escalate(self, record, request, index):
        name = record["request"]
        if request["ended"] is not None or request["granted"]:
            self.bad("request %s is escalated after its end" % name, index)
        for rule in record["rules"]:
            if rule not in request["asked"]["what"]["rules"]:
                self.bad("request %s is escalated for a rule that did not ask" % name, index)
            if rule in request["escalated"]:
                self.bad("request %s is escalated twice for the rule %s" % (name, rule), index)
            request["escalated"].add(rule)
        request["expiresAt"] = record["expiresAt"]

    def refuse_own(self, asked, approvers, index):
        for own in (asked["who"]["subject"], asked["who"].get("onBehalfOf")):
            if own is not None and own in approvers:
                self.bad("%s approves a request of their own" % own, index)

    def release(self, record, index):
        approval = record["approval"]
        if record["decision"]["verdict"] != "allow":
            return
        count = self.released[approval["grant"]] = self.released.get(approval["grant"], 0) + 1
        if count > approval.get("uses", 1):
            self.bad("grant %s was used up before" % approval["grant"], index)


class Recordings:
    def __init__(self, findings):
        self.findings, self.sessions, self.required = findings, {}, {}

    def gap(self):
        self.sessions.clear()
        self.required.clear()

    def bad(self, message, index):
        self.findings.tampered("recording", message, index)

    def take(self, record, index, is_open):
        """`is_open`: whether the session is open; None when that is not known."""
        kind, session = record["kind"], record.get("session")
        if kind == "recording.chunk":
            self.chunk(record, session, index, is_open)
        elif kind == "recording.closed":
            self.closed(record, session, index, is_open)
        elif kind == "operation.decided":
            if record.get("recording") == "required" and record["decision"]["verdict"] == "allow":
                self.required[index] = session
        elif kind in ("operation.settled", "operation.indoubt"):
            wanted = self.required.pop(record["for"], None)
            if wanted is None or kind == "operation.indoubt" or self.sessions.get(wanted, [0])[0]:
                return
            if record["outcome"]["status"] not in ("refused", "cancelled"):
                self.bad("an operation of session %s had to be recorded, and ran when nothing was" % wanted, index)
        elif kind == "session.closed":
            if not self.sessions.pop(session, (0, 0, True))[2]:
                self.findings.add("hole", "recording", "the recording of session %s has no end" % session, index)
        elif kind == "session.lost":
            self.lost(record, self.sessions.pop(session, None), index, is_open)

    def lost(self, record, known, index, is_open):
        said = record.get("recording")
        running = known[:2] if known is not None and not known[2] else None
        if (known is not None or is_open is not None) and (said and (said["chunks"], said["bytes"])) != running:
            return self.bad("a session that was cut off says that its recording has other chunks than are here", index)
        if said is not None:
            self.findings.add("note", "recording", "the recording of session %s was cut off with it" % record["session"], index)

    def chunk(self, record, session, index, is_open):
        known, stored = self.sessions.get(session), record["stored"]
        if is_open is False:
            self.bad("a chunk of the recording of a session that is not open", index)
        if known is not None and known[2]:
            self.bad("a chunk follows the end of its recording", index)
        chunks, end, _ = known or (0, 0, False)
        apart = "sealed" not in stored
        if not ("at" in stored) == ("hash" in stored) == apart:
            self.bad("a chunk is either sealed in its record or in the file of its session", index)
        begins = stored.get("at", end)
        if (known is not None or is_open is not None) and (record["chunk"] != chunks + 1 or begins != end):
            self.bad("a chunk does not follow the one before", index)
        self.sessions[session] = (record["chunk"], begins + (stored["bytes"] if apart else 0), False)

    def closed(self, record, session, index, is_open):
        known = self.sessions.get(session)
        if is_open is False:
            self.bad("the end of the recording of a session that is not open", index)
        if (known is not None or is_open is not None) and (record["chunks"], record["bytes"]) != (known or (0, 0))[:2]:
            self.bad("a recording says that it has other chunks than are here", index)
        if known is not None and known[2]:
            self.bad("a recording ends twice", index)
        if record["status"] == "failed":
            self.findings.add("hole", "recording", "the recording of session %s broke off" % session, index)
        self.sessions[session] = (record["chunks"], record["bytes"], True)


class Story:
    def __init__(self, origin, keys, findings):
        self.origin, self.keys, self.findings = origin, keys, findings
        self.approvals = Approvals(findings)
        self.recordings = Recordings(findings)
        self.chunk = None
        self.stopped = False
        self.sealed = None
        self.after = 0  # everything before may be unknown: some of it was pruned
        self.pruned = []
        self.last = None
        self.started = 0  # the last start: nothing before it is still under way
        self.sessions = {}
        self.unsettled = {}
        self.refused = {}
        # What other logs must agree with.
        self.activated, self.grants, self.digests, self.releases = set(), {}, {}, []
        self.partial = False

    def collect(self, record, index):
        kind = record["kind"]
        if kind == "log.opened" and record.get("continues") is not None:
            self.partial = True
        elif kind == "policy.activated":
            self.activated.add(record["bundle"]["digest"])
            if "candidate" in record:
                self.activated.add(record["candidate"]["digest"])
        elif kind == "approval.granted":
            self.grants[index] = record
        elif kind == "operation.decided":
            self.digests.setdefault(record["decision"]["bundle"]["digest"], index)
            if record.get("approval") is not None and record["decision"]["verdict"] == "allow":
                self.releases.append((index, record))

    def gap(self, end):
        self.after, self.last = end, None
        for known in (self.sessions, self.unsettled, self.refused):
            known.clear()
        self.approvals.gap()
        self.recordings.gap()

    def take(self, index, value, prev):
        """Tells the next record; returns the blob of its evidence and sets `chunk` when it is one of a recording."""
        self.chunk = None
        if self.stopped:
            return None
        problem = record_problem(value)
        if problem is not None:
            self.findings.tampered("record", "the record " + problem, index)
            self.stopped = True
            return None
        for name, wanted in (("i", index), ("prev", prev), ("node", self.origin)):
            if wanted is not None and value[name] != wanted:
                self.findings.tampered("order", "the record has another `%s` than its place" % name, index)
        if self.sealed is not None:
            self.findings.tampered("order", "the log was sealed at entry %d" % self.sealed, index)
        if self.last is not None and self.last[1] == value["boot"] and value["kind"] != "log.recovered":
            if value["mono"] - self.last[0] > 65_000_000:
                self.findings.add("hole", "heartbeat", "a silence before this entry", index)
        self.last = (value["mono"], value["boot"])
        if (value["kind"] == "log.opened") != (index == 0):
            self.findings.tampered("order", "a log begins with log.opened, and only begins with it", index)
        self.chunk = value if value["kind"] == "recording.chunk" else None
        known = value.get("session") in self.sessions or (None if self.after else False)
        self.recordings.take(value, index, known)
        self.collect(value, index)
        self.tell(value, index)
        evidence = value.get("evidence")
        if not isinstance(evidence, dict):
            return None
        if ("sealed" in evidence) == ("blob" in evidence):
            self.findings.tampered("evidence", "evidence is either sealed in the record or in a blob", index)
        return evidence.get("blob")

    def tell(self, record, index):
        kind = record["kind"]
        if kind == "log.recovered":
            self.started = index
            for session in self.sessions.values():
                session["before start"] = True
        elif kind == "log.pruned":
            self.pruned.append((record["from"], record["to"]))
        elif kind == "log.sealed":
            self.sealed = index
        elif kind == "key.rotated":
            if not rotation_holds(self.origin, record) or all(k.vkey != record["vkey"] for k in self.keys):
                self.findings.tampered("key", "the change of keys is not signed by the key before, or `rotations` lacks it", index)
        elif kind == "clock.stepped":
            self.findings.add("note", "clock", "the wall clock was stepped", index)
        elif kind == "session.opened":
            if record["session"] in self.sessions:
                self.findings.tampered("session", "session %s is opened twice" % record["session"], index)
            self.sessions[record["session"]] = {"decided": 0, "held": {}, "before start": False, "ahead": 0}
        elif kind == "session.closed":
            session = self.sessions.pop(record["session"], None)
            if session is None and self.after:
                return
            if session is None:
                self.findings.tampered("session", "session %s is closed but was not open" % record["session"], index)
            elif record["operations"] < session["decided"]:
                self.findings.tampered("session", "session %s says that it had fewer operations" % record["session"], index)
            else:
                self.missing(record["operations"] - session["decided"], index)
        elif kind == "session.lost":
            self.cut_off(record, index)
        elif kind == "operation.decided":
            self.decide(record, index)
        elif kind in ("operation.settled", "operation.indoubt"):
            self.settle(record, index)
        else:
            self.approvals.take(record, index)

    def cut_off(self, record, index):
        name, ahead = record["session"], record.get("ahead", {"operations": 0})["operations"]
        session = self.sessions.pop(name, None)
        if session is None:
            if not self.after:
                self.findings.tampered("session", "session %s was cut off but was not open" % name, index)
            return
        if not session["before start"]:
            self.findings.tampered("session", "session %s is cut off without a start of the writer" % name, index)
        if record["operations"] != session["decided"]:
            self.findings.tampered("session", "session %s says that it had another number of operations" % name, index)
        if ahead != session["ahead"]:
            self.findings.tampered("session", "session %s does not say how far operations were ahead" % name, index)
        severity = "hole" if session["ahead"] else "note"
        self.findings.add(severity, "session", "session %s was cut off when the writer died" % name, index)

    def missing(self, count, index):
        if count > 0:
            self.findings.add("hole", "session", "%d operations before this entry have no decision" % count, index)

    def decide(self, record, index):
        verdict, session = record["decision"]["verdict"], self.sessions.get(record["session"])
        outside = session is None and not self.after
        decided = (record["session"], record["operation"], record["n"], outside)
        if outside:
            self.findings.add("note", "session", "an operation was decided outside an open session", index)
        elif session is not None:
            session["ahead"] = record.get("ahead", {"operations": session["ahead"]})["operations"]
            self.count(session, record, verdict, index)
        if verdict == "allow":
            self.unsettled[index] = decided
        else:
            if len(self.refused) >= 10_000:
                del self.refused[next(iter(self.refused))]
            self.refused[index] = decided
        if "approval" in record:
            self.approvals.release(record, index)

    def count(self, session, record, verdict, index):
        n, held = record["n"], session["held"].get(record["n"])
        if n <= session["decided"] or held not in (None, record["operation"]):
            return self.findings.tampered("session", "operation %d is decided a second time" % n, index)
        if verdict == "pending":
            session["held"][n] = record["operation"]
            return
        self.missing(n - session["decided"] - 1, index)
        session["decided"] = n
        session["held"].pop(n, None)

    def settle(self, record, index):
        target = record["for"]
        allowed = self.unsettled.pop(target, None)
        denied = self.refused.pop(target, None)
        decided = allowed or denied
        if decided is None and target < self.after:
            return
        if decided is None:
            return self.findings.tampered("operation", "an outcome for entry %s, which waits for none" % target, index)
        if decided[:3] != (record["session"], record["operation"], record["n"]):
            self.findings.tampered("operation", "the outcome points to another operation", index)
        status = "in-doubt" if record["kind"] == "operation.indoubt" else record["outcome"]["status"]
        if status in ("refused", "cancelled"):
            return
        if record["kind"] == "operation.settled" and (allowed is None or decided[3]):
            return self.findings.tampered("operation", "an operation that was not allowed has outcome %s" % status, index)
        if status == "in-doubt":
            self.findings.add("note", "operation", "the outcome of operation %s is not known" % record["operation"], index)

    def low(self, size):
        return None if self.stopped else next(iter(self.unsettled), size)

    def end(self):
        if self.stopped:
            return
        for index in self.unsettled:
            severity = "hole" if index < self.started else "note"
            self.findings.add(severity, "operation", "the operation has no outcome", index)
        for name, session in self.sessions.items():
            if session["before start"]:
                self.findings.add("hole", "session", "session %s was cut off without a closing record" % name)
            else:
                self.findings.add("note", "session", "session %s is open" % name)


# ---- Keys, docs/formats/checkpoint.md -----------------------------------------------------------------------------------------------


def rotation_holds(origin, rotation):
    """True when both keys have signed that one follows the other."""
    if not isinstance(rotation, dict) or not all(isinstance(rotation.get(n), str) for n in ("previous", "vkey", "signature", "accepted")):
        return False
    text = ("key.rotated/v1\n%s\n%s\n%s\n" % (origin, rotation["previous"], rotation["vkey"])).encode("utf-8", "surrogatepass")
    for name, by in (("signature", "previous"), ("accepted", "vkey")):
        key, signature = parse_vkey(rotation[by]), from_base64(rotation[name])
        if key is None or key.kind != ED25519 or signature is None or not ed25519(key.public, text, signature):
            return False
    return True


def follow_rotations(folder, keys, findings):
    """Adds the keys that a chain of signed rotations joins to a known one, in either direction."""
    rotations = [parse_json(to_text(line)) for line in (folder.read("rotations") or b"").split(b"\n") if line]
    grown = True
    while grown:
        grown = False
        for rotation in rotations:
            if not isinstance(rotation, dict):
                continue
            pair = [parse_vkey(str(rotation.get(n))) for n in ("previous", "vkey")]
            if None in pair or pair[0].name != pair[1].name or not rotation_holds(pair[0].name, rotation):
                continue
            known = [any(k.vkey == one.vkey for k in keys) for one in pair]
            if known[0] != known[1]:
                keys.append(pair[0] if known[1] else pair[1])
                grown = True


# ---- Write-ahead log, docs/formats/wal.md -----------------------------------------------------------------------------------------


class Wal:
    def __init__(self, folder, origin, signed, findings):
        self.folder, self.origin, self.signed, self.findings = folder, origin, signed, findings
        self.names = sorted(n for n in folder.list("wal") if re.fullmatch("[0-9]{12}\\.wal", n))
        self.current = None
        self.next = int(self.names[0][:12]) if self.names else None

    def take(self, index):
        """(entry, start of segment or None) at the index, or None."""
        while self.next is not None and index >= self.next:
            if self.current is None:
                self.current = self.open()
                if self.current is None:
                    return None
            frame = self.frame(self.current)
            if frame is None:
                self.current = None
                continue
            self.next += 1
            if self.next - 1 == index:
                return frame
        return None

    def open(self):
        while self.names:
            name = self.names.pop(0)
            first, data = int(name[:12]), self.folder.read("wal/" + name) or b""
            if first != self.next:
                self.findings.tampered("wal", "entries are missing or repeated before segment " + name, min(first, self.next))
                self.next = first
            start = self.header(data)
            if start is not None and start["first"] == first:
                return {"name": name, "data": data, "at": 92, "start": start}
            if not self.names and first >= self.signed and not self.has_frame(data, 0, -1):
                self.findings.add("hole", "wal", "segment %s was being begun" % name, first)
            else:
                self.findings.tampered("wal", "segment %s has a damaged header" % name, first)
        return None

    def header(self, data):
        if len(data) < 92 or struct.unpack(">I", data[88:92])[0] != zlib.crc32(data[:88]):
            return None
        if data[:8] != b"WARDWAL1" or data[8:40] != sha256(self.origin.encode("utf-8", "surrogatepass")):
            return None
        return {"first": struct.unpack(">Q", data[40:48])[0], "prev": data[48:80].hex(), "low": struct.unpack(">Q", data[80:88])[0]}

    def frame(self, segment):
        data, at = segment["data"], segment["at"]
        frame = frame_at(data, at)
        if frame is not None:
            segment["at"] = frame[2]
            return frame[0], segment.pop("start", None)
        if not data[at:].strip(b"\0"):
            return None
        if self.next < self.signed or self.names or self.has_frame(data, at, self.next):
            self.findings.tampered("wal", "segment %s is damaged at byte %d" % (segment["name"], at), self.next)
        else:
            self.findings.add("hole", "wal", "segment %s ends in an unfinished write" % segment["name"], self.next)
        return None

    def has_frame(self, data, start, index):
        brace = data.find(b"{", start + 12)
        while brace >= 0:
            frame = frame_at(data, brace - 12)
            record = parse_json(to_text(frame[0])) if frame else None
            if isinstance(record, dict) and is_integer(record.get("i")) and record["i"] - frame[1] > index:
                return True
            brace = data.find(b"{", brace + 1)
        return False


def frame_at(data, at):
    """(entry, ahead, end) or None."""
    if at < 0 or at + 12 > len(data):
        return None
    length, crc, ahead = struct.unpack(">III", data[at : at + 12])
    end = at + 12 + length
    if length < 2 or length > ENTRY_MAX or end > len(data):
        return None
    if crc != zlib.crc32(data[at + 8 : end], zlib.crc32(data[at : at + 4])):
        return None
    return data[at + 12 : end], ahead, end


# ---- The whole log, docs/formats/ledger-layout.md ---------------------------------------------------------------------------------


def compare_logs(verifications):
    """What several logs of one installation say together; nothing without the log of a control plane."""
    told = [one for one in verifications if one.story is not None]
    controls = [one for one in told if one.story.activated or one.story.grants]
    if not controls or len(told) < 2:
        return
    partial = any(one.story.partial or one.story.stopped for one in controls)
    severity = "note" if any(one.story.after for one in controls) else "hole" if partial else "tampered"
    activated = set().union(*(one.story.activated for one in controls))
    grants = [grant for one in controls for grant in one.story.grants.values()]
    used = {}
    for one in told:
        for digest, index in one.story.digests.items():
            if digest not in activated:
                one.findings.add(severity, "policy", "no control log says that the bundle %s was in force" % digest, index)
        for index, release in one.story.releases:
            approval = release["approval"]
            origin, _, place = str(approval.get("record", "")).partition("#")
            pointed = [c.story.grants.get(int(place)) for c in controls if c.origin == origin and place.isdigit()]
            given = next((g for g in pointed if g is not None), None) or next((g for g in grants if g["grant"] == approval["grant"]), None)
            if given is None:
                one.findings.add(severity, "approval", "no control log has the grant %s" % approval["grant"], index)
                continue
            wanted = (approval["grant"], approval["request"], release["operation"], release["session"])
            if wanted != (given["grant"], given["request"], given["operation"], given["session"]):
                one.findings.tampered("approval", "grant %s was given for another operation" % approval["grant"], index)
                continue
            used[wanted[0]] = used.get(wanted[0], 0) + 1
            if used[wanted[0]] > given.get("uses", 1) * max(1, len(given["bound"])):
                one.findings.tampered("approval", "grant %s released more often than it was given for" % wanted[0], index)


class Verification:
    def __init__(self, root, vkeys, since, policy=None):
        self.folder, self.findings = source_at(root), Findings()
        self.vkeys, self.since, self.policy, self.story = policy.vkeys if policy else vkeys, since, policy, None
        self.signed, self.origin, self.witnesses = None, "", {}
        self.agreed, self.agreed_size, self.unsigned = 0, 0, 0

    def run(self):
        self.verify()
        return self.report()

    def verify(self):
        self.readable = self.begin()
        if self.readable:
            self.walk()

    def report(self):
        status, counts = "unreadable", self.findings.counts
        if self.readable:
            status = "tampered" if counts["tampered"] else "incomplete" if counts["hole"] else "proven"
        return {
            "status": status,
            "origin": self.origin,
            "size": self.signed.size if self.signed else 0,
            "root": base64.b64encode(self.signed.root).decode() if self.signed else "",
            "unsigned": self.unsigned,
            "pinned": self.vkeys is not None,
            "checkpoints": self.agreed,
            "witnesses": self.witnesses,
            "findings": self.findings.list,
            "counts": self.findings.counts,
        }

    def first_record(self):
        path = tile_path("entries", 0)
        widths = sorted((int(n) for n in self.folder.list(path + ".p") if re.fullmatch("[0-9]+", n)), reverse=True)
        if not widths:  # where nothing can be listed, the checkpoint says how wide it is
            widths = [size for size in [size_in(to_text(self.folder.read("checkpoint") or b""))] if size is not None and 0 < size < 256]
        for name, skip in [(path, 2)] + [("%s.p/%d" % (path, w), 2) for w in widths[:1]] + [("wal/000000000000.wal", 104)]:
            data = self.folder.read(name)
            end = -1 if data is None else data.find(b"}", skip, 16 * 1024 + skip)
            record = parse_json(to_text(data[skip : end + 1])) if end >= 0 else None
            if isinstance(record, dict):
                return record
        return None

    def begin(self):
        """Whose log it is, and how much of it is signed. False when it is none."""
        findings = self.findings
        published, cosigned = self.folder.read("checkpoint"), self.folder.read("cosigned")
        self.lines = (self.folder.read("checkpoints.log") or b"").split(b"\n")
        self.unfinished = self.lines.pop()
        # A power cut can leave zeros anywhere in what was being written.
        if not self.unfinished and self.lines and b"\0" in self.lines[-1]:
            self.unfinished = self.lines.pop()
        last = parse_json(to_text(self.lines[-1])) if self.lines else None
        notes = [
            ("checkpoint", None if published is None else to_text(published) or ""),
            ("checkpoints.log", last if isinstance(last, str) else None),
            ("cosigned", None if cosigned is None else to_text(cosigned) or ""),
            ("the earlier checkpoint", self.since),
        ]
        first = self.first_record()
        if first is None and all(note is None for _, note in notes):
            findings.add("hole", "checkpoint", "this is no ledger: there is neither a checkpoint nor a first entry")
            return False
        named = (first or {}).get("vkey")
        own = parse_vkey(named) if isinstance(named, str) else None
        keys = [own] if self.vkeys is None and own is not None else []
        for vkey in self.vkeys or []:
            key = parse_vkey(vkey)
            if key is None:
                findings.tampered("trust", "%s is not a verifier key" % vkey)
            else:
                keys.append(key)
        follow_rotations(self.folder, keys, findings)
        self.keys = keys
        if own is None:
            findings.tampered("record", "the first entry does not name the key of the log", 0)
        elif all(key.vkey != own.vkey for key in keys):
            findings.tampered("checkpoint", "the log names the key %s, which is not trusted" % own.vkey, 0)
        valid = {}
        for what, note in notes:
            if note is None:
                continue
            opened = open_checkpoint(note, keys)
            if isinstance(opened, Checkpoint):
                valid[what] = opened
                if what == "cosigned":
                    self.witnesses = opened.witnesses
            elif what != "checkpoints.log":
                findings.tampered(what, "%s %s" % (what, opened))
        self.signed = max(valid.values(), key=lambda one: one.size, default=None)
        logged, shown = valid.get("checkpoints.log"), valid.get("checkpoint")
        if shown is not None and (logged is None or logged.size < shown.size):
            findings.tampered("checkpoints.log", "it ends before the published checkpoint", logged.size if logged else 0)
        if published is None:
            findings.add("hole", "checkpoint", "no checkpoint is published")
        if self.policy is not None:
            enough = [one.size for one in valid.values() if self.policy.quorum(one.cosigners)]
            if not enough:
                findings.add("hole", "cosigned", "no checkpoint has the witnesses that the policy asks for")
            elif max(enough) < max(one.size for one in valid.values()):
                findings.add("note", "cosigned", "entries from here on are not witnessed as the policy asks yet", max(enough))
        self.origin = self.signed.origin if self.signed else own.name if own else ""
        self.others = [(what, one) for what, one in valid.items() if what != "checkpoints.log"]
        return True

    def history(self):
        """The checkpoints of checkpoints.log in order; what does not hold is reported."""
        size = 0
        for number, line in enumerate(self.lines, 1):
            note = parse_json(to_text(line))
            whole = isinstance(note, str) and json.dumps(note, ensure_ascii=False) == to_text(line)
            opened = open_checkpoint(note, self.keys) if whole else "is not a JSON string"
            if isinstance(opened, str):
                self.findings.tampered("checkpoints.log", "line %d %s" % (number, opened), size_in(note))
            elif opened.origin != self.origin:
                self.findings.tampered("checkpoints.log", "line %d belongs to the log %s" % (number, opened.origin), opened.size)
            elif opened.size < size:
                self.findings.tampered("checkpoints.log", "size %d was signed after size %d" % (opened.size, size), opened.size)
            else:
                size = opened.size
                yield opened
        if self.unfinished:
            self.findings.add("hole", "checkpoints.log", "the last line is unfinished")

    def walk(self):
        findings, size = self.findings, self.signed.size if self.signed else 0
        tree, story = Tree(), Story(self.origin, self.keys, findings)
        self.story = story
        wal = Wal(self.folder, self.origin, size, findings)
        promised = {}
        for what, one in [("checkpoints.log", c) for c in self.history()] + self.others:
            promised.setdefault(one.size, []).append((what, one))
        prev, whole, tail, broken, gaps = ZEROS, True, [], False, []
        for first in range(0, size, 256):
            removed = self.pruned_hash(first // 256, size) if whole else None
            if removed is not None:
                gaps.append(first)
                tree.add_tile(removed)
                self.filled(tree)
                for what, one in self.others:
                    if first < one.size < first + 256:
                        findings.add("hole", what, "the entries before this size were pruned, so it cannot be compared", one.size)
                for what, one in promised.get(tree.size, []):
                    broken = self.kept(tree, what, one, broken)
                story.gap(first + 256)
                prev = None
                continue
            for offset, (leaf, entry) in enumerate(self.bundle(first // 256, min(256, size - first))):
                index = first + offset
                logged = wal.take(index) if wal.next is not None and index >= wal.next else None
                if logged is not None:
                    if leaf is not None and leaf_hash(logged[0]) != leaf:
                        findings.tampered("wal", "the write-ahead log has another entry than the bundle", index)
                    self.segment(logged[1], prev, story, index)
                elif index == size - 1 and wal.next is not None and wal.next <= index:
                    findings.tampered("wal", "the write-ahead log ends before the signed size", wal.next)
                if leaf is None:
                    whole = False
                elif whole:
                    tree.add(leaf)
                if entry is None:
                    story.stopped = True
                else:
                    self.blob(story.take(index, parse_json(to_text(entry)), prev), index)
                    self.recorded(story.chunk, index)
                prev = "" if leaf is None else leaf.hex()
                if index >= size - size % 256:
                    tail.append((leaf, entry))
                for what, one in promised.get(tree.size, []) if whole else []:
                    broken = self.kept(tree, what, one, broken)
            if whole:
                self.filled(tree)
        if whole:
            self.edge(tree, size, tail)
            for later in promised:
                if later > size:
                    findings.tampered("checkpoints.log", "size %d was signed, but the last is %d" % (later, size), size)
        self.rest(wal, story, size, prev)
        if size == 0:
            findings.add("hole", "checkpoint", "nothing is signed yet")
        for first in gaps:
            if not any(low <= first and first + 256 <= high for low, high in story.pruned):
                findings.tampered(tile_path("entries", first // 256), "signed entries are missing", first)
        story.end()

    def kept(self, tree, what, one, broken):
        """Compares a signed root; later ones contain the same difference, so one finding says it."""
        if tree.root() == one.root:
            self.agreed, self.agreed_size = self.agreed + 1, tree.size
        elif not broken:
            start = self.agreed_size
            self.findings.tampered(what, "the entries %d to %d are not those that were signed" % (start, tree.size - 1), start)
            return True
        return broken

    def pruned_hash(self, number, size):
        """The hash over a bundle that is gone together with its tile, from the tile above."""
        if (number + 1) * 256 > size or self.tile("entries", number, 256) or self.tile(0, number, 256):
            return None
        tile, at = self.tile(1, number // 256, min(256, size // 256 - number // 256 * 256)), number % 256 * 32
        return tile[0][at : at + 32] if tile and len(tile[0]) >= at + 32 else None

    def rest(self, wal, story, size, prev):
        """Entries after the signed size: only the write-ahead log has them."""
        index = size
        while wal.next is not None:
            taken = wal.take(index)
            if taken is None:
                break
            self.segment(taken[1], prev, story, index)
            self.blob(story.take(index, parse_json(to_text(taken[0])), prev), index)
            self.recorded(story.chunk, index)
            prev = leaf_hash(taken[0]).hex()
            index += 1
        self.unsigned = index - size
        if index > size:
            self.findings.add("note", "checkpoint", "%d entries are not signed yet" % (index - size), size)

    def segment(self, start, prev, story, index):
        if start is None:
            return
        if prev and start["prev"] != prev:
            self.findings.tampered("wal", "the segment that begins here does not link to the entry before it", index)
        low = story.low(index)
        if low is not None and low != start["low"]:
            self.findings.tampered("wal", "the segment that begins here has a wrong low mark", index)

    def blob(self, blob, index):
        if blob is None:
            return
        data = self.folder.read("blobs/%s/%s" % (blob[:2], blob))
        if data is None:
            self.findings.add("hole", "evidence", "blob %s is not here; it may have been erased" % blob, index)
        elif sha256(data).hex() != blob:
            self.findings.tampered("evidence", "blob %s was changed" % blob, index)

    def recorded(self, record, index):
        if record is None:
            return
        session, stored = record["session"], record["stored"]
        if "at" not in stored:
            return
        if not re.fullmatch("[A-Za-z0-9_-]{1,64}", session):
            return self.findings.tampered("recording", "a session id that cannot be the name of a file", index)
        data = self.folder.part("recordings/%s/%s.recording" % (session[-2:], session), stored["at"], stored["bytes"])
        if data is None:
            self.findings.add("hole", "recording", "the recording of session %s is not here; it may have been removed" % session, index)
        elif len(data) != stored["bytes"] or sha256(data).hex() != stored.get("hash"):
            self.findings.tampered("recording", "chunk %d of session %s was changed" % (record["chunk"], session), index)

    def tile(self, level, number, width):
        """(bytes, path, is partial): the full tile, or the one of exactly this width."""
        full = tile_path(level, number)
        for path in [full] if width == 256 else ["%s.p/%d" % (full, width), full]:
            data = self.folder.read(path)
            if data is not None:
                return data, path, path != full
        return None

    def bundle(self, number, width):
        """[(leaf, entry)]; the entry is None when it is not the one that was hashed."""
        first, findings = number * 256, self.findings
        entries, tile = self.tile("entries", number, width), self.tile(0, number, width)
        if tile is None:
            findings.add("hole", tile_path(0, number), "the tile is missing; it can be made again from the entries", first)
        elif len(tile[0]) != (width if tile[2] else 256) * 32:
            findings.tampered(tile[1], "the tile has %d bytes" % len(tile[0]), first + min(width - 1, len(tile[0]) // 32))
        hashes = [tile[0][k * 32 : k * 32 + 32] if tile and len(tile[0]) >= k * 32 + 32 else None for k in range(width)]
        if entries is None:
            findings.tampered(tile_path("entries", number), "signed entries are missing", first)
            return [(leaf, None) for leaf in hashes]
        data, path, partial = entries
        result, at, reported = [], 0, False
        for k, expected in enumerate(hashes):
            entry = entry_at(data, at)
            problem = None
            if entry is None:
                problem, leaf = "the bundle cannot be split into entries", expected
            else:
                at += 2 + len(entry)
                leaf = leaf_hash(entry)
                if expected is not None and leaf != expected:
                    following = parse_json(to_text(entry_at(data, at) or b""))
                    if isinstance(following, dict) and following.get("prev") == leaf.hex():
                        problem = "the tile has another hash for the entry"
                    else:
                        problem, leaf, entry = "the entry is not the one that was hashed", expected, None
            if problem and not reported:
                findings.tampered(path, problem, first + k)
                reported = True
            result.append((leaf, entry))
        if at != len(data) and not (not partial and width < 256) and not reported:
            findings.tampered(path, "the bundle has bytes after its last entry", first + width - 1)
        return result

    def filled(self, tree):
        for level, number, hashes in tree.filled:
            self.compare(level, number, hashes)
        tree.filled.clear()

    def compare(self, level, number, hashes):
        stored = self.tile(level, number, len(hashes))
        if stored is None:
            return self.findings.add("hole", tile_path(level, number), "the tile is missing; it can be made again from the entries")
        span = 256**level
        for k, node in enumerate(hashes):
            if stored[0][k * 32 : k * 32 + 32] != node:
                index = (number * 256 + k) * span
                return self.findings.tampered(stored[1], "the tile has another hash for the entries from %d" % index, index)
        if len(stored[0]) != (len(hashes) if stored[2] else 256) * 32:
            self.findings.tampered(stored[1], "the tile has %d bytes" % len(stored[0]), number * 256 * span)

    def edge(self, tree, size, tail):
        """The tiles at the right edge, and the narrower ones kept for readers with an older checkpoint."""
        self.filled(tree)
        level, count = 1, size // 256
        while count > 0:
            hashes = tree.filling.get(level, [])
            if hashes:
                self.compare(level, count // 256, hashes)
            first, span = count // 256 * 256, 256**level
            place = (tile_path(level, count // 256), lambda w, f=first, s=span: (f + w) * s)
            self.narrower(place, len(hashes), lambda w, h=hashes: b"".join(h[:w]))
            level, count = level + 1, count // 256
        if all(entry is not None for _, entry in tail):
            first = size // 256 * 256
            self.narrower((tile_path(0, size // 256), first.__add__), len(tail), lambda w: b"".join(leaf for leaf, _ in tail[:w]))
            bundles = [struct.pack(">H", len(entry)) + entry for _, entry in tail]
            self.narrower((tile_path("entries", size // 256), first.__add__), len(tail), lambda w: b"".join(bundles[:w]))

    def narrower(self, place, width, wanted):
        path, first_of = place
        for name in self.folder.list(path + ".p"):
            if not re.fullmatch("[1-9][0-9]{0,2}", name) or int(name) >= width:
                continue
            data, right = self.folder.read("%s.p/%s" % (path, name)), wanted(int(name))
            if data is None or data == right:
                continue
            at = next((k for k, byte in enumerate(data) if k >= len(right) or byte != right[k]), len(data))
            share = min(int(at / max(1, len(right)) * int(name)), int(name) - 1)
            self.findings.tampered("%s.p/%s" % (path, name), "differs from the entries it was made of", first_of(share))


def size_in(note):
    """The size that a note speaks of, signed or not."""
    lines = note.split("\n") if isinstance(note, str) else []
    return int(lines[1]) if len(lines) > 1 and re.fullmatch("[0-9]{1,15}", lines[1]) else None


def entry_at(data, at):
    if at + 2 > len(data):
        return None
    end = at + 2 + struct.unpack(">H", data[at : at + 2])[0]
    return None if end > len(data) else data[at + 2 : end]


# ---- One record, docs/formats/proof.md -----------------------------------------------------------------------------------------------


def root_from_path(index, size, leaf, path):
    """RFC 9162 §2.1.3.2; None when the path does not have the length it must."""
    fn, sn, node = index, size - 1, leaf
    for sibling in path:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            node = node_hash(sibling, node)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            node = node_hash(node, sibling)
        fn, sn = fn >> 1, sn >> 1
    return node if sn == 0 else None


def verify_proof(text, vkeys, policy=None):
    vkeys = policy.vkeys if policy else vkeys
    report = {"status": "tampered", "origin": "", "index": -1, "size": 0, "pinned": vkeys is not None}
    problem = proof_problem(text, vkeys, report, policy)
    if problem is None:
        report["status"] = "proven"
    elif problem == "is not a proof":
        report["status"] = "unreadable"
    if problem is not None:
        report["findings"] = [{"severity": "tampered", "what": "proof", "message": "the proof " + problem}]
    return report


def proof_problem(text, vkeys, report, policy=None):
    head, _, note = text.partition("\n\n")
    lines = head.split("\n")
    if lines[0] != "c2sp.org/tlog-proof@v1" or len(lines) < 3 or not lines[1].startswith("extra "):
        return "is not a proof"
    entry = from_base64(lines[1][6:])
    found = re.fullmatch("index (0|[1-9][0-9]{0,14})", lines[2])
    path = [from_base64(line) for line in lines[3:]]
    if entry is None or found is None or any(one is None or len(one) != 32 for one in path):
        return "is damaged"
    index, record = int(found[1]), parse_json(to_text(entry))
    report["index"], report["record"] = index, record
    problem = record_problem(record)
    if problem is not None:
        return "holds a record that " + problem
    keys = []
    for vkey in vkeys or []:
        keys.append(parse_vkey(vkey))
        if keys[-1] is None:
            return "cannot be checked: %s is not a verifier key" % vkey
    if vkeys is None:
        return "cannot be checked without the key of the log: give it with --key"
    opened = open_checkpoint(note, keys)
    if isinstance(opened, str):
        return "has a checkpoint that " + opened
    report.update(origin=opened.origin, size=opened.size, witnesses=opened.witnesses)
    if policy is not None and not policy.quorum(opened.cosigners):
        return "has a checkpoint without the witnesses that the policy asks for"
    if index >= opened.size or record["i"] != index or record["node"] != opened.origin:
        return "holds another record than it says"
    if root_from_path(index, opened.size, leaf_hash(entry), path) != opened.root:
        return "does not lead from the record to the signed root"
    return None


# ---- Evidence files, docs/formats/recording.md ----------------------------------------------------------------------------------------


def tar_header(name, size):
    header = bytearray(512)

    def put(text, at):
        header[at : at + len(text)] = text.encode("ascii")

    for text, at in (
        (name, 0), ("0000644\0", 100), ("0000000\0", 108), ("0000000\0", 116), ("%011o\0" % size, 124), ("0" * 11 + "\0", 136),
        (" " * 8, 148), ("0", 156), ("ustar\x0000", 257),
    ):
        put(text, at)
    put("%06o\0 " % sum(header), 148)
    return bytes(header)


class Files(dict):
    """path → content, read when it is looked at and not kept: an archive may be larger than the memory."""

    def __getitem__(self, path):
        return super().__getitem__(path)()

    def get(self, path, default=None):
        return self[path] if path in self else default

    def items(self):
        return ((path, self[path]) for path in self)


def content(path):
    with open(path, "rb") as file:
        return file.read()


def read_tar(data):
    """The files of an archive that is written in the one allowed way; None for any other."""
    files, at, before = Files(), 0, ""
    while True:
        header = data[at : at + 512]
        if len(header) < 512:
            return None
        if not any(header):
            break
        try:
            name = header[:100].split(b"\0")[0].decode("ascii")
            size = int(header[124:136].split(b"\0")[0], 8)
        except ValueError:
            return None
        end = at + 512 + size
        rest = data[end : end + -size % 512]
        if name <= before or size < 0 or header != tar_header(name, size) or len(data) < end or len(rest) != -size % 512 or any(rest):
            return None
        files[name] = functools.partial(data.__getitem__, slice(at + 512, end))
        at, before = end + -size % 512, name
    return files if data[at:] == bytes(1024) else None


def read_evidence(path):
    if not os.path.isdir(path):
        with open(path, "rb") as file:
            empty = os.fstat(file.fileno()).st_size == 0
            return None if empty else read_tar(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    files = Files()
    for folder, _, names in os.walk(path):
        for name in names:
            full = os.path.join(folder, name)
            files[os.path.relpath(full, path).replace(os.sep, "/")] = functools.partial(content, full)
    return files


class SessionStory:
    """Whether the records of one session, taken out of their log, are all there."""

    def __init__(self, session, tell):
        self.session, self.tell = session, tell
        self.opened = self.closed = self.lost = self.recording_closed = False
        self.operations = self.chunks = 0
        self.unsettled, self.decided = set(), set()

    def take(self, record, index):
        kind = record["kind"]
        if record.get("session") != self.session:
            return self.tell("tampered", "session", "a record of another session", index)
        if not self.opened and kind != "session.opened":
            self.tell("hole", "session", "the record with which the session began is not here", index)
        self.opened = True
        if kind == "operation.decided":
            self.decided.add(index)
            verdict = record["decision"]["verdict"]
            if verdict == "allow":
                self.unsettled.add(index)
            if verdict != "pending":
                self.count("operations", record["n"], index)
        elif kind in ("operation.settled", "operation.indoubt"):
            if record["for"] not in self.decided:
                self.tell("hole", "session", "the decision that this outcome belongs to is not here", index)
            self.unsettled.discard(record["for"])
        elif kind == "recording.chunk":
            self.count("chunks", record["chunk"], index)
        elif kind == "recording.closed":
            self.recording_closed = True
            if record["chunks"] != self.chunks or record["status"] == "failed":
                self.tell("hole", "session", "the recording is not whole", index)
        elif kind in ("session.closed", "session.lost"):
            self.closed, self.lost = True, kind == "session.lost"
            if self.lost:
                self.tell("hole" if "ahead" in record else "note", "session", "the session was cut off", index)
            if record["operations"] != self.operations:
                self.tell("hole", "session", "not all operations are here", index)

    def count(self, what, number, index):
        if number != getattr(self, what) + 1:
            self.tell("hole", "session", "some of the %s before are not here" % what, index)
        setattr(self, what, number)

    def end(self):
        if not self.opened or not self.closed:
            self.tell("hole", "session", "the session does not begin or does not end here")
        if self.chunks and self.closed and not self.recording_closed:
            self.tell("note" if self.lost else "hole", "session", "the recording has no end")
        for index in self.unsettled:
            self.tell("hole" if self.closed else "note", "session", "the operation has no outcome", index)


class Evidence:
    def __init__(self, files, vkeys):
        self.files, self.vkeys, self.findings = files, vkeys or [], Findings()
        self.logs, self.witnesses, self.records = {}, set(), 0

    def run(self):
        listed = self.files.get("manifest.json") if self.files is not None else None
        manifest = parse_json(to_text(listed)) if listed is not None else None
        if self.files is None:
            self.findings.tampered("archive", "this is no archive of the form that evidence has, or it was changed")
        elif not isinstance(manifest, dict) or manifest.get("format") != "warder-evidence/v1":
            self.findings.add("hole", "manifest.json", "this is no evidence file: it has no list of its files")
        else:
            return self.check(manifest, listed)
        return self.report("tampered" if self.files is None else "unreadable", {}, SessionStory("", None))

    def check(self, manifest, listed):
        self.manifest = manifest
        for path, data in self.files.items():
            if path in ("manifest.json", "manifest.tlog-proof"):
                continue
            if manifest["files"].get(path) != sha256(data).hex():
                self.findings.tampered(path, "the file was changed or is not in the list")
        for path in manifest["files"]:
            if path not in self.files:
                self.findings.tampered(path, "the file is missing")
        self.listed(listed)
        story = SessionStory(manifest["session"], self.findings.add)
        for path in sorted(self.files):
            if path.startswith("records/"):
                self.record(path, story)
        story.end()
        counts = self.findings.counts
        return self.report("tampered" if counts["tampered"] else "incomplete" if counts["hole"] else "proven", manifest, story)

    def report(self, status, manifest, story):
        return {
            "status": status,
            "origin": manifest.get("session", ""),
            "size": self.records,
            "pinned": bool(self.logs) and all(vkey in self.vkeys for vkey in self.logs.values()),
            "logs": self.logs,
            "witnesses": sorted(self.witnesses),
            "operations": story.operations,
            "chunks": story.chunks,
            "findings": self.findings.list,
        }

    def listed(self, listed):
        data = to_text(self.files.get("manifest.tlog-proof", b"")) or ""
        record = self.proven("manifest.tlog-proof", data)
        if record is None:
            return
        bad = lambda message: self.findings.tampered("manifest.tlog-proof", message)
        if sum(line.startswith("\u2014 ") for line in data.split("\n")) != 1:
            bad("the proof of the list has more than the signature of its log")
        if (record["kind"], record.get("action"), record.get("session")) != ("recording.read", "recording.export", self.manifest["session"]):
            bad("the record is not that of the export of this session")
        elif record.get("manifest") != "sha256:" + sha256(listed).hex():
            bad("the list of files is not the one that was recorded")

    def record(self, path, story):
        record = self.proven(path, to_text(self.files[path]) or "")
        if record is None:
            return
        self.records += 1
        index = int(record["i"])
        name = "%s/%012d" % (record["node"].split("/")[-1], index)
        if path != "records/%s.tlog-proof" % name:
            self.findings.tampered(path, "the record is entry %d of %s" % (index, record["node"]))
        if record["kind"] == "recording.chunk":
            self.committed(record["stored"], index, b"recording/v1", "recording/" + name)
        elif isinstance(record.get("evidence"), dict):
            self.committed(record["evidence"], index, b"evidence/v1", "evidence/" + name)
        if record["node"] == self.manifest["gateway"]:
            story.take(record, index)

    def committed(self, said, index, prefix, path):
        if path not in self.files:
            self.findings.add("hole", path, "what the record committed to is not here; it may have been erased", index)
        elif sha256(prefix, self.files[path]).hex() != said["commit"]:
            self.findings.tampered(path, "this is not what the record committed to", index)

    def proven(self, path, text):
        origin = text[text.find("\n\n") + 2 :].split("\n")[0]
        named = self.manifest["logs"].get(origin)
        own = [vkey for vkey in self.vkeys if vkey.startswith(origin + "+")]
        report = verify_proof(text, self.vkeys if own else [named] * (named is not None) + self.vkeys)
        if report["status"] != "proven":
            problem = report["findings"][0]["message"] if "findings" in report else "the proof does not hold"
            self.findings.tampered(path, problem)
            return None
        self.logs[report["origin"]] = named if named in own else (own + [named])[0]
        self.witnesses.update(report["witnesses"])
        return report["record"]


# ---- Command line -------------------------------------------------------------------------------------------------------------------

STATUS = {"proven": 0, "tampered": 1, "incomplete": 2, "unreadable": 3}


def read_text(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def trusted(arguments):
    vkeys = list(arguments.key or [])
    if arguments.trust:
        vkeys += [entry["vkey"] for entry in json.loads(read_text(arguments.trust))["ledgers"]]
        vkeys += [entry["vkey"] for entry in json.loads(read_text(arguments.trust)).get("witnesses", [])]
    return vkeys or None


def serve(vkeys):
    """Reads one folder per line and answers with one line of JSON each: for tests that verify many copies."""
    for line in sys.stdin:
        print(json.dumps(Verification(line.rstrip("\n"), vkeys, None).run()), flush=True)
    return 0


def main():
    parser = argparse.ArgumentParser(description="Verifies Warder ledgers and proofs of records.")
    parser.add_argument("folder", nargs="*")
    parser.add_argument("--url", action="append", help="a ledger that is published there as static files")
    parser.add_argument("--proof")
    parser.add_argument("--evidence")
    parser.add_argument("--key", action="append")
    parser.add_argument("--trust")
    parser.add_argument("--policy")
    parser.add_argument("--since")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--stdin", action="store_true", help="folders from standard input, a report line for each")
    arguments = parser.parse_args()
    try:
        vkeys = trusted(arguments)
        policy = Policy(read_text(arguments.policy)) if arguments.policy else None
        if arguments.stdin:
            return serve(vkeys)
        if arguments.evidence:
            reports = [Evidence(read_evidence(arguments.evidence), vkeys).run()]
        elif arguments.proof:
            reports = [verify_proof(read_text(arguments.proof), vkeys, policy)]
        else:
            since = read_text(arguments.since) if arguments.since else None
            verifications = [Verification(folder, vkeys, since, policy) for folder in arguments.folder + (arguments.url or [])]
            for verification in verifications:
                verification.verify()
            compare_logs(verifications)
            reports = [verification.report() for verification in verifications]
    except (OSError, ValueError, KeyError, TypeError) as error:
        print("verify.py: %s" % error, file=sys.stderr)
        return 3
    if not reports:
        parser.print_usage(sys.stderr)
        return 3
    for report in reports:
        if arguments.json:
            print(json.dumps(report))
            continue
        print("%s  %s  size %d" % (report["origin"] or "?", report["status"].upper(), report["size"]))
        for finding in report.get("findings", []):
            print("  %s %s: %s" % (finding["severity"], finding.get("index", finding["what"]), finding["message"]))
    statuses = [report["status"] for report in reports]
    return next((STATUS[s] for s in ("tampered", "unreadable", "incomplete") if s in statuses), 0)


if __name__ == "__main__":
    sys.exit(main())
