import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check } from '../check.ts';
import { compile, EvalError, parse } from '../index.ts';
import { Frame } from '../frame.ts';
import { Planner } from '../plan.ts';

function evaluate(source: string): unknown {
  const compiled = compile(source, { variables: {} });
  assert.ok(compiled.ok, compiled.ok ? '' : `${source}: ${compiled.problems.map((problem) => problem.message).join('; ')}`);
  return compiled.program.evaluate({});
}

function allTrue(sources: readonly string[]): void {
  for (const source of sources) assert.equal(evaluate(source), true, source);
}

/** Run-time errors; the check, which would find some of them earlier, is made and not heeded. */
function allFail(sources: readonly string[]): void {
  for (const source of sources) {
    const parsed = parse(source);
    assert.ok(parsed.ok, source);
    const checked = check(parsed.ast, { variables: {} });
    const code = new Planner(checked).plan(parsed.ast);
    assert.throws(
      () => code(new Frame({}, checked.slots)),
      (thrown) => thrown instanceof EvalError,
      source,
    );
  }
}

test('addresses have one reading: what parsers disagree on is no address', () => {
  allTrue([
    'ip("10.0.0.1") == ip("10.0.0.1") && ip("::1") != ip("::2")',
    'string(ip("2001:0DB8::0:1")) == "2001:db8::1" && string(ip("1:0:0:2:0:0:0:3")) == "1:0:0:2::3" && string(ip("::")) == "::"',
    'string(ip("1:0:2:3:4:5:6:7")) == "1:0:2:3:4:5:6:7" && string(ip("1::")) == "1::" && string(ip("64:ff9b::1.2.3.4")) == "64:ff9b::102:304"',
    'ip.isCanonical("::1") && !ip.isCanonical("0:0::1") && ip("::1").family() == 6 && ip("1.2.3.4").family() == 4',
    '!isIP("010.0.0.1") && !isIP("1.2.3") && !isIP("1.2.3.256") && !isIP("::ffff:1.2.3.4") && !isIP("fe80::1%eth0") && !isIP("1:2:3:4:5:6:7")',
    '!isIP("") && !isIP(" 1.2.3.4") && !isIP(":::1") && !isIP("1::2::3") && !isIP("12345::") && !isIP("1.2.3.4.5")',
    'ip("127.0.0.1").isLoopback() && ip("169.254.1.1").isLinkLocalUnicast() && ip("0.0.0.0").isUnspecified() && ip("ff02::1").isLinkLocalMulticast()',
    'ip("8.8.8.8").isGlobalUnicast() && !ip("255.255.255.255").isGlobalUnicast() && ip("192.168.1.1").isPrivate() && !ip("8.8.8.8").isPrivate()',
  ]);
  allFail(['ip("x")', 'ip("1.2.3.4/8")', 'ip("::ffff:10.0.0.1")']);
});

test('networks contain the addresses of their prefix', () => {
  allTrue([
    'cidr("10.0.0.0/8").containsIP("10.255.0.1") && !cidr("10.0.0.0/8").containsIP(ip("11.0.0.1")) && !cidr("10.0.0.0/8").containsIP("::1")',
    'cidr("10.0.0.0/8").containsCIDR("10.1.0.0/16") && !cidr("10.1.0.0/16").containsCIDR(cidr("10.0.0.0/8")) && cidr("0.0.0.0/0").containsIP("1.2.3.4")',
    'string(cidr("10.1.2.3/8").masked()) == "10.0.0.0/8" && cidr("10.1.2.3/8").prefixLength() == 8 && cidr("10.1.2.3/8").ip() == ip("10.1.2.3")',
    'cidr("2001:db8::/32").containsIP("2001:db8:ffff::1") && isCIDR("::/0") && !isCIDR("10.0.0.0") && !isCIDR("10.0.0.0/33") && !isCIDR("10.0.0.0/08")',
  ]);
  allFail(['cidr("10.0.0.0")', 'cidr("10.0.0.0/8").containsIP("x")']);
});

test('urls are taken apart, and ambiguous ones are refused', () => {
  allTrue([
    'url("https://example.com:8443/a%20b?x=1&y=2&x=3").getHost() == "example.com:8443"',
    'cel.bind(u, url("HTTPS://example.com:8443/a%20b?x=1&y=%C3%A9+z&x=3"), u.getScheme() == "https" && u.getHostname() == "example.com" && u.getPort() == "8443" && u.getEscapedPath() == "/a%20b" && u.getQuery() == {"x": ["1", "3"], "y": ["é z"]})',
    'url("/path?q").getScheme() == "" && url("/path?q").getQuery() == {"q": [""]} && url("http://[::1]:80/").getHostname() == "::1"',
    '!isURL("example.com/a") && !isURL("//evil.com") && !isURL("http://a\\\\@b") && !isURL("http://a@b@c/") && !isURL("http://a b/") && !isURL("http://h/%zz") && !isURL("http://h/\\n")',
  ]);
  allTrue([
    'url("https://user:pass@example.com:80/path?query=val#fragment").getHost() == "example.com:80"',
    'url("http://a?x@b").getHostname() == "a" && url("http://a#@b").getHostname() == "a" && url("http://a/#?q=1").getQuery() == {}',
    'url("https://example.com/path with spaces/").getEscapedPath() == "/path%20with%20spaces/"',
  ]);
  allFail(['url("relative")', 'url("https://a:b:c/")', 'url("https://good.com\\\\@evil.com/")']);
});

test('quantities are exact', () => {
  allTrue([
    'quantity("1Gi").asInteger() == 1073741824 && quantity("1k").compareTo(quantity("1000")) == 0 && quantity("1.5") == quantity("1500m")',
    'quantity("100m").isLessThan(quantity("0.2")) && quantity("1e3").isGreaterThan(quantity("999")) && quantity("-1").sign() == -1 && quantity("0.1").add(quantity("0.2")) == quantity("0.3")',
    'quantity("50k").sub(20) == quantity("49980") && !quantity("1.5").isInteger() && quantity("0.5").asApproximateFloat() == 0.5 && string(quantity("1.50")) == "1.5"',
    'isQuantity("1Ki") && !isQuantity("1KiB") && !isQuantity("") && !isQuantity("1 k") && !isQuantity("k")',
  ]);
  allFail(['quantity("abc")', 'quantity("1.5").asInteger()', 'quantity("100E").asInteger()']);
});

test('versions are ordered as semver.org says', () => {
  allTrue([
    'semver("1.2.3").isLessThan(semver("1.10.0")) && semver("1.0.0-alpha.1").isLessThan(semver("1.0.0-alpha.beta")) && semver("1.0.0-rc.1").isLessThan(semver("1.0.0"))',
    'semver("1.0.0-2").isLessThan(semver("1.0.0-11")) && semver("1.0.0+a").compareTo(semver("1.0.0+b")) == 0 && semver("2.0.0").isGreaterThan(semver("1.99.99"))',
    'semver("1.2.3").major() == 1 && semver("1.2.3").minor() == 2 && semver("1.2.3").patch() == 3 && semver("v01.2", true) == semver("1.2.0")',
    '!isSemver("1.2") && !isSemver("v1.2.3") && !isSemver("01.2.3") && !isSemver("1.2.3-01") && isSemver("1.2.3-0a+b.c") && isSemver("v1", true)',
  ]);
  allFail(['semver("1")', 'semver("1.2.3-")', 'semver("1.2.3+a..b")']);
});

test('texts are checked by the names of Kubernetes, which say what is wrong', () => {
  allTrue([
    '!format.dns1123Label().validate("my-name").hasValue() && format.dns1123Label().validate("a.b").value() == ["must not contain dots"]',
    'format.dns1123Label().validate("My").value()[0].startsWith("a lowercase RFC 1123 label must consist of") && format.dns1123Label().validate("").hasValue()',
    "format.dns1123Label().validate(\"My\").value()[0].endsWith(\"(e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')\")",
    'format.dns1123Subdomain().validate("apiextensions.k8s.io") == optional.none() && format.dns1123Subdomain().validate("a..b").hasValue() && format.dns1035Label().validate("1a").hasValue()',
    '!format.dns1123LabelPrefix().validate("my-label-prefix-").hasValue() && format.dns1123Label().validate("my-label-prefix-").hasValue() && !format.dns1123SubdomainPrefix().validate("mysubdomain.prefix.-").hasValue() && !format.dns1035LabelPrefix().validate("a-").hasValue()',
    '!format.qualifiedName().validate("apiextensions.k8s.io/v1beta1").hasValue() && format.qualifiedName().validate("/a").value() == ["prefix part must be non-empty"] && format.qualifiedName().validate("a/b/c").value()[0].endsWith("with an optional DNS subdomain prefix and \'/\' (e.g. \'example.com/MyName\')") && format.qualifiedName().validate("").value().size() == 2',
    '!format.labelValue().validate("").hasValue() && !format.labelValue().validate("a_B.1").hasValue() && format.labelValue().validate("-a").hasValue()',
    '!format.uri().validate("http://example.com").hasValue() && format.uri().validate("example.com").value()[0].contains("invalid URI for request")',
    '!format.uuid().validate("123e4567-e89b-12d3-a456-426614174000").hasValue() && !format.uuid().validate("123E4567E89B12D3A456426614174000").hasValue() && format.uuid().validate("123e4567").value() == ["does not match the UUID format"]',
    '!format.byte().validate("aGVsbG8=").hasValue() && format.byte().validate("a=b").value() == ["invalid base64"]',
    '!format.date().validate("2024-02-29").hasValue() && format.date().validate("2023-02-29").value() == ["invalid date"] && format.date().validate("2021-1-1").hasValue()',
    '!format.datetime().validate("2021-01-01T00:00:00Z").hasValue() && !format.datetime().validate("2021-01-01t23:59:59.5+01:00").hasValue() && format.datetime().validate("2021-01-01T24:00:00Z").value() == ["invalid datetime"] && format.datetime().validate("2021-01-01").hasValue()',
    'format.named("dns1123Label").hasValue() && !format.named("nothing").hasValue() && format.named("uuid").value() == format.uuid() && format.uuid() != format.byte()',
    'format.named("date").value().validate("2021-01-01") == optional.none() && "a".format([]) == "a"',
    'format.dns1123Label().validate("' + 'a'.repeat(64) + '").value() == ["must be no more than 63 characters"]',
  ]);
});

test('lists', () => {
  allTrue([
    '[1, [2, [3]]].flatten() == [1, 2, [3]] && [1, [2, [3]]].flatten(2) == [1, 2, 3] && [1, 1.0, 2u, 2, "a", "a"].distinct() == [1, 2, "a"]',
    '[3, 1, 2].sort() == [1, 2, 3] && ["b", "a"].sort() == ["a", "b"] && [1, 2].reverse() == [2, 1] && lists.range(3) == [0, 1, 2] && [1, 2, 3].slice(1, 2) == [2]',
    '[1, 2].first() == optional.of(1) && [].last() == optional.none() && [1, 2].last().value() == 2 && [3, 1].min() == 1 && [3, 1].max() == 3 && [1.5, 2.5].sum() == 4.0',
    '[1u, 2u].sum() == 3u && [duration("1s"), duration("2s")].sum() == duration("3s") && [].isSorted() && [1, 1, 2].isSorted() && ![2, 1].isSorted()',
    '[1, 2, 1].indexOf(1) == 0 && [1, 2, 1].lastIndexOf(1) == 2 && [1].indexOf(5) == -1 && [optional.of(1), optional.none()].unwrapOpt() == [1]',
    '[{"n": 2}, {"n": 1}].sortBy(e, e.n).map(e, e.n) == [1, 2]',
    'sets.contains([1, 2], [1]) && sets.contains([dyn(1), 2], [1.0]) && sets.equivalent([1, 2, 2], [2, 1]) && sets.intersects(["a"], ["b", "a"]) && !sets.intersects([1], []) && sets.contains([], [])',
  ]);
  allFail([
    '[].min()',
    '[1, 2].slice(1, 3)',
    '[1, 2].slice(-1, 1)',
    '[1].flatten(-1)',
    '[dyn(1), "a"].sort()',
    '[[1]].sort()',
    '[{}].sortBy(e, e)',
    '["a"].sum()',
  ]);
});

test('text', () => {
  allTrue([
    '"a,b,,c".split(",") == ["a", "b", "", "c"] && "abc".split("") == ["a", "b", "c"] && "a b c".split(" ", 2) == ["a", "b c"]',
    '"abc".replace("", "-") == "-a-b-c-" && "abc".replace("b", "\\\\1$&") == "a\\\\1$&c" && "aaa".replace("a", "b", 2) == "bba"',
    '"HeLLo É".lowerAscii() == "hello É" && "é".upperAscii() == "é" && " \\u2003x ".trim() == "x"',
    '"%s %d %.2f %x %b %o %e %%".format(["a", 5, 1.005, 255, 5, 8, 1500.0]) == "a 5 1.00 ff 101 10 1.500000e+03 %"',
    '"%.0f %.0f %.1f".format([0.5, 1.5, 0.25]) == "0 2 0.2" && "%.1f".format([1e22]) == "10000000000000000000000.0"',
    'strings.quote("a\\"b\\n") == "\\"a\\\\\\"b\\\\n\\""',
  ]);
  allFail([
    '"abc".substring(2, 1)',
    '"abc".charAt(4)',
    '"%d".format(["a"])',
    '"%s %s".format(["a"])',
    '"%y".format([1])',
    '[1].map(x, dyn(x)).join()',
  ]);
});

test('patterns run in RE2 and fail on what RE2 does not have', () => {
  allTrue([
    '"hello".matches("^h.*o$") && !"hello".matches("^ell") && "hello".matches("ell") && matches("a\\nb", "(?s)a.b")',
    'regex.extract("user=ada;", "user=(\\\\w+)").value() == "ada" && regex.extract("x", "y") == optional.none()',
    'regex.extractAll("a1b22", "[0-9]+") == ["1", "22"] && regex.replace("a1b2", "([0-9])", "<\\\\1>") == "a<1>b<2>" && regex.replace("aaa", "a", "b", 2) == "bba"',
    '"abc 123".find("[0-9]+") == "123" && "1 2 3".findAll("[0-9]", 2) == ["1", "2"]',
  ]);
  allFail(['"a".matches("(?=a)")', '"a".matches("(a")', 'regex.replace("a", "a", "\\\\1")', 'regex.extract("ab", "(a)(b)")']);
});

test('times', () => {
  allTrue([
    'timestamp("2024-02-29T12:00:00+02:00") == timestamp("2024-02-29T10:00:00Z") && timestamp("2024-02-29T00:00:00Z").getDayOfYear() == 59',
    'timestamp("2024-07-01T12:00:00Z").getHours("Europe/Berlin") == 14 && timestamp("2024-01-01T12:00:00Z").getHours("Europe/Berlin") == 13',
    'timestamp("2024-01-01T00:30:00Z").getFullYear("America/New_York") == 2023 && timestamp("2024-01-07T00:00:00Z").getDayOfWeek() == 0',
    'timestamp("2024-01-01T00:00:00.000000001Z") > timestamp("2024-01-01T00:00:00Z") && duration("1h30m") == duration("5400s") && duration("-1.5s") < duration("0s")',
    'duration("1.5h").getMinutes() == 90 && string(duration("90m")) == "5400s" && duration("1ms") + duration("1us") == duration("1001us") && int(timestamp("1970-01-01T00:00:07Z")) == 7',
  ]);
  allFail([
    'timestamp("2023-02-29T00:00:00Z")',
    'timestamp("2024-01-01")',
    'timestamp("2024-01-01T25:00:00Z")',
    'duration("5")',
    'duration("1h 2m")',
    'duration("300y")',
    'timestamp("2024-01-01T00:00:00Z").getHours("Mars/Base")',
  ]);
});

test('bytes and numbers', () => {
  allTrue([
    'base64.encode(b"hello") == "aGVsbG8=" && base64.decode("aGVsbG8") == b"hello" && base64.decode("") == b"" && string(base64.decode("w6k=")) == "é"',
    'math.greatest(1, 2.5, 2u) == 2.5 && math.least([3, 1, 2]) == 1 && math.abs(-3) == 3 && math.sqrt(16) == 4.0 && math.round(-2.5) == -3.0 && math.round(0.49999999999999994) == 0.0',
    'math.bitShiftLeft(1, 63) == -9223372036854775807 - 1 && math.bitAnd(12, 10) == 8 && math.isNaN(0.0 / 0.0)',
    'int("-12") == -12 && uint("7") == 7u && double("1e3") == 1000.0 && bool("true") && string(1e100) == "1e+100" && string(0.1) == "0.1"',
  ]);
  allFail([
    'double("1e400")',
    'timestamp("2024-01-01T00:00:00+25:00")',
    'base64.decode("a")',
    'base64.decode("a===")',
    'base64.decode("a b=")',
    'int("0x10")',
    'int("1.5")',
    'int("")',
    'uint("-1")',
    'uint("+1")',
    'double("")',
    'math.greatest([])',
    'bytes("x") == string(b"\\xff")',
  ]);
});
