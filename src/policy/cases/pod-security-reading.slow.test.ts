import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileBundle } from '../bundle.ts';
import type { Bundle } from '../bundle.ts';
import { checkFiles } from './check-files.ts';

/**
 * A second reading of the Pod Security Standards, written down control by control as the documentation lists them: which fields, which
 * values. The packs must agree with it on whatever pod is made up.
 *
 * SPEC: https://kubernetes.io/docs/concepts/security/pod-security-standards/, Kubernetes 1.35.
 */
interface Context {
  readonly privileged?: boolean;
  readonly allowPrivilegeEscalation?: boolean;
  readonly runAsNonRoot?: boolean;
  readonly runAsUser?: number;
  readonly procMount?: string;
  readonly capabilities?: { readonly add?: readonly string[]; readonly drop?: readonly string[] };
  readonly seccompProfile?: { readonly type: string };
  readonly appArmorProfile?: { readonly type: string };
  readonly seLinuxOptions?: { readonly type?: string; readonly user?: string; readonly role?: string; readonly level?: string };
  readonly windowsOptions?: { readonly hostProcess?: boolean };
  readonly sysctls?: readonly { readonly name: string }[];
}
interface Container {
  readonly securityContext?: Context;
  readonly ports?: readonly { readonly hostPort?: number }[];
  readonly livenessProbe?: { readonly httpGet?: { readonly host?: string }; readonly tcpSocket?: { readonly host?: string } };
}
interface Pod {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: {
    readonly hostNetwork?: boolean;
    readonly hostPID?: boolean;
    readonly hostIPC?: boolean;
    readonly hostUsers?: boolean;
    readonly os?: { readonly name: string };
    readonly securityContext?: Context;
    readonly volumes?: readonly Readonly<Record<string, unknown>>[];
    readonly containers: readonly Container[];
    readonly initContainers?: readonly Container[];
    readonly ephemeralContainers?: readonly Container[];
  };
}

const addable = 'AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT'.split(
  ' ',
);
const seLinuxTypes = ['container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t'];
const safeSysctls =
  'kernel.shm_rmid_forced net.ipv4.ip_local_port_range net.ipv4.ip_unprivileged_port_start net.ipv4.tcp_syncookies net.ipv4.ping_group_range net.ipv4.ip_local_reserved_ports net.ipv4.tcp_keepalive_time net.ipv4.tcp_fin_timeout net.ipv4.tcp_keepalive_intvl net.ipv4.tcp_keepalive_probes net.ipv4.tcp_rmem net.ipv4.tcp_wmem'.split(
    ' ',
  );
const volumeSources = 'configMap csi downwardAPI emptyDir ephemeral image persistentVolumeClaim projected secret'.split(' ');
const profiles = ['RuntimeDefault', 'Localhost'];

function containersOf({ spec }: Pod): readonly Container[] {
  return [...spec.containers, ...(spec.initContainers ?? []), ...(spec.ephemeralContainers ?? [])];
}

function baseline(pod: Pod): readonly string[] {
  const { spec } = pod;
  const containers = containersOf(pod);
  const contexts = [spec.securityContext, ...containers.map(({ securityContext }) => securityContext)].filter((one) => one !== undefined);
  const broken: Readonly<Record<string, boolean>> = {
    'host-process': contexts.some((one) => one.windowsOptions?.hostProcess === true),
    'host-namespaces': spec.hostNetwork === true || spec.hostPID === true || spec.hostIPC === true,
    privileged: containers.some((one) => one.securityContext?.privileged === true),
    capabilities: containers.some((one) => (one.securityContext?.capabilities?.add ?? []).some((name) => !addable.includes(name))),
    'host-path-volumes': (spec.volumes ?? []).some((volume) => volume['hostPath'] !== undefined),
    'host-ports': containers.some((one) => (one.ports ?? []).some(({ hostPort = 0 }) => hostPort !== 0)),
    'host-probes': containers.some(
      ({ livenessProbe: probe }) => (probe?.httpGet?.host ?? '') !== '' || (probe?.tcpSocket?.host ?? '') !== '',
    ),
    'app-armor': contexts.some((one) => one.appArmorProfile !== undefined && !profiles.includes(one.appArmorProfile.type)),
    'app-armor-annotation': Object.entries(pod.metadata.annotations ?? {}).some(
      ([name, value]) =>
        name.startsWith('container.apparmor.security.beta.kubernetes.io/') &&
        !(value === '' || value === 'runtime/default' || value.startsWith('localhost/')),
    ),
    'se-linux': contexts.some(({ seLinuxOptions: options = {} }) => {
      return ![undefined, '', ...seLinuxTypes].includes(options.type) || (options.user ?? '') !== '' || (options.role ?? '') !== '';
    }),
    'proc-mount': spec.hostUsers !== false && containers.some((one) => (one.securityContext?.procMount ?? 'Default') !== 'Default'),
    seccomp: contexts.some((one) => one.seccompProfile !== undefined && !profiles.includes(one.seccompProfile.type)),
    sysctls: (spec.securityContext?.sysctls ?? []).some(({ name }) => !safeSysctls.includes(name)),
  };
  return namesOf(broken);
}

function restricted(pod: Pod): readonly string[] {
  const { spec } = pod;
  const containers = containersOf(pod);
  const onLinux = spec.os?.name === 'windows' ? [] : containers;
  const own = spec.hostUsers === false ? [] : containers;
  const shared = spec.hostUsers === false ? undefined : spec.securityContext;
  const broken: Readonly<Record<string, boolean>> = {
    'volume-types': (spec.volumes ?? []).some((volume) =>
      Object.keys(volume).some((key) => key !== 'name' && !volumeSources.includes(key)),
    ),
    'privilege-escalation': onLinux.some((one) => one.securityContext?.allowPrivilegeEscalation !== false),
    'root-asked-for': shared?.runAsNonRoot === false || own.some((one) => one.securityContext?.runAsNonRoot === false),
    'root-not-ruled-out': own.some((one) => (one.securityContext?.runAsNonRoot ?? shared?.runAsNonRoot) !== true),
    'root-user': shared?.runAsUser === 0 || own.some((one) => one.securityContext?.runAsUser === 0),
    'seccomp-not-set': onLinux.some(
      (one) => !profiles.includes((one.securityContext?.seccompProfile ?? spec.securityContext?.seccompProfile)?.type ?? ''),
    ),
    'capabilities-dropped': onLinux.some((one) => !(one.securityContext?.capabilities?.drop ?? []).includes('ALL')),
    'capabilities-added': onLinux.some((one) => (one.securityContext?.capabilities?.add ?? []).some((name) => name !== 'NET_BIND_SERVICE')),
    'proc-mount': containers.some((one) => (one.securityContext?.procMount ?? 'Default') !== 'Default'),
  };
  return namesOf(broken);
}

function namesOf(broken: Readonly<Record<string, boolean>>): readonly string[] {
  return Object.keys(broken).filter((name) => broken[name] === true);
}

const some = <T>(...values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
const maybe = <T extends Record<string, fc.Arbitrary<unknown>>>(model: T) => fc.record(model, { requiredKeys: [] });

const context = maybe({
  privileged: fc.boolean(),
  allowPrivilegeEscalation: some(true, false, false),
  runAsNonRoot: some(true, true, false),
  runAsUser: some(0, 1, 1000),
  procMount: some('Default', 'Unmasked'),
  capabilities: maybe({
    add: fc.subarray(['NET_BIND_SERVICE', 'CHOWN', 'SYS_ADMIN', 'NET_RAW']),
    drop: some(['ALL'], ['ALL'], ['NET_RAW'], []),
  }),
  seccompProfile: fc.record({ type: some('RuntimeDefault', 'Localhost', 'Unconfined') }),
  appArmorProfile: fc.record({ type: some('RuntimeDefault', 'Localhost', 'Unconfined') }),
  seLinuxOptions: maybe({
    type: some('', 'container_t', 'container_engine_t', 'spc_t'),
    user: some('', 'u'),
    role: some('', 'r'),
    level: some('s0'),
  }),
  windowsOptions: maybe({ hostProcess: fc.boolean() }),
});
const container = fc
  .tuple(
    some('a', 'b'),
    maybe({
      securityContext: context,
      ports: fc.array(maybe({ containerPort: some(80), hostPort: some(0, 80) }), { maxLength: 2 }),
      livenessProbe: maybe({ httpGet: maybe({ host: some('', '10.0.0.1') }), tcpSocket: maybe({ host: some('', 'x') }) }),
    }),
  )
  .map(([name, rest]) => ({ name, image: 'x', ...rest }));
const podContext = fc
  .tuple(context, maybe({ sysctls: fc.array(fc.record({ name: some('kernel.msgmax', ...safeSysctls) }), { maxLength: 2 }) }))
  .map(([{ privileged: _p, allowPrivilegeEscalation: _a, procMount: _m, capabilities: _c, ...own }, rest]) => ({ ...own, ...rest }));
const volume = some<Readonly<Record<string, unknown>>>(
  { name: 'v' },
  { name: 'v', emptyDir: {} },
  { name: 'v', secret: {} },
  { name: 'v', image: {} },
  { name: 'v', hostPath: { path: '/' } },
  { name: 'v', nfs: {} },
  { name: 'v', iscsi: {} },
);
const annotations = fc.dictionary(
  some('container.apparmor.security.beta.kubernetes.io/a', 'other'),
  some('', 'runtime/default', 'localhost/x', 'unconfined', 'x'),
  { maxKeys: 2 },
);
const spec = fc
  .tuple(
    fc.array(container, { minLength: 1, maxLength: 2 }),
    maybe({
      hostNetwork: some(false, false, true),
      hostPID: some(false, false, true),
      hostIPC: some(false, false, true),
      hostUsers: fc.boolean(),
      os: fc.record({ name: some('linux', 'windows') }),
      securityContext: podContext,
      volumes: fc.array(volume, { maxLength: 2 }),
      initContainers: fc.array(container, { maxLength: 1 }),
      ephemeralContainers: fc.array(container, { maxLength: 1 }),
    }),
  )
  .map(([containers, rest]) => ({ containers, ...rest }));
const pod = fc.tuple(spec, annotations).map(([inside, said]) => {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', annotations: said }, spec: inside };
});

function packOf(pack: string): Bundle {
  const root = join(import.meta.dirname, '../../../policies');
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.yaml'));
  const compiled = compileBundle(
    files.map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') })),
    { packs: [pack] },
  );
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
  return compiled.bundle;
}

for (const level of ['baseline', 'restricted'] as const) {
  test(`the pack ${level} refuses exactly what a second reading of the standard refuses`, async () => {
    const bundle = packOf(`kubernetes/${level}`);
    await fc.assert(
      fc.asyncProperty(pod, async (made) => {
        const report = await checkFiles(bundle, [{ path: 'pod.json', text: JSON.stringify(made) }], { now: 0 });
        const read = made as unknown as Pod; // Reason: made of the fields that the reading looks at.
        const expected = [
          ...baseline(read).map((name) => `pod-security-baseline/${name}`),
          ...(level === 'restricted' ? restricted(read).map((name) => `pod-security-restricted/${name}`) : []),
        ];
        const refused = report.objects[0]?.findings.map(({ rule }) => rule) ?? [];
        assert.deepEqual([...refused].sort(), expected.sort());
        assert.equal(report.objects[0]?.verdict, expected.length === 0 ? 'allow' : 'deny');
      }),
      { numRuns: 600 },
    );
  });
}
