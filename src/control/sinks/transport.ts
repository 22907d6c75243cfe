import { readFileSync } from 'node:fs';
import { readSecret } from '#host';
import { Fault, unreachable } from '#model';
import type { World } from '#model';
import type { SinkConfig } from './configuration.ts';
import type { Transport } from './sink.ts';
import { elasticsearchTransport } from './transports/elasticsearch.ts';
import { fileTransport } from './transports/file.ts';
import { kafkaTransport } from './transports/kafka.ts';
import { otlpTransport } from './transports/otlp.ts';
import { postgresTransport } from './transports/postgres.ts';
import { s3Transport } from './transports/s3.ts';
import { splunkTransport } from './transports/splunk-hec.ts';
import { syslogTransport } from './transports/syslog.ts';
import { webhookTransport } from './transports/webhook.ts';

/** The way to the receiver of a sink. Certificates are read now (CONFIG_INVALID), secrets when they are used. */
export function transportOf(sink: SinkConfig, world: World): Transport {
  const { format } = sink;
  switch (sink.type) {
    case 'file':
      return fileTransport({ path: sink.path, format, rotateBytes: sink.rotateBytes, keep: sink.keep }, world);
    case 'syslog': {
      const { host, port, framing, tls } = sink;
      if (tls === undefined) return syslogTransport({ host, port, framing, format });
      const files = { ca: pem(tls.ca), cert: pem(tls.cert), key: pem(tls.key) };
      return syslogTransport({ host, port, framing, format, tls: { serverName: tls.serverName, ...files } });
    }
    case 'webhook':
      return webhookTransport({ url: new URL(sink.url), secret: () => readSecret(sink.secret), ca: pem(sink.ca), format }, world);
    case 'splunk-hec': {
      const { index, sourcetype, acknowledge } = sink;
      const url = new URL(sink.url);
      return splunkTransport({ url, token: () => readSecret(sink.token), index, sourcetype, acknowledge, ca: pem(sink.ca), format }, world);
    }
    case 'elasticsearch':
      return elasticsearchTransport({ url: new URL(sink.url), index: sink.index, apiKey: optional(sink.apiKey), ca: pem(sink.ca), format });
    case 'otlp':
      return otlpTransport({ url: new URL(sink.url), token: optional(sink.token), ca: pem(sink.ca) }, world);
    case 'postgres':
      return postgresTransport({ url: () => readSecret(sink.url), table: sink.table });
    case 'kafka': {
      const { brokers, topic, tls, sasl } = sink;
      return kafkaTransport({
        brokers,
        topic,
        format,
        ...(tls === undefined ? {} : { tls: { serverName: tls.serverName, ca: pem(tls.ca), cert: pem(tls.cert), key: pem(tls.key) } }),
        ...(sasl === undefined ? {} : { sasl: { ...sasl, password: () => readSecret(sasl.password) } }),
      });
    }
    case 's3': {
      const { region, bucket, prefix } = sink;
      const keys = { accessKeyId: () => readSecret(sink.accessKeyId), secretAccessKey: () => readSecret(sink.secretAccessKey) };
      return s3Transport({ endpoint: new URL(sink.endpoint), region, bucket, prefix, ...keys, ca: pem(sink.ca), format }, world);
    }
    default:
      return unreachable(sink);
  }
}

/** Where a sink delivers to, for people; never a secret. */
export function targetOf(sink: SinkConfig): string {
  switch (sink.type) {
    case 'file':
      return sink.path;
    case 'syslog':
      return `${sink.tls === undefined ? 'tcp' : 'tls'}://${sink.host}:${sink.port}`;
    case 'postgres':
      return `table ${sink.table} at ${sink.url}`;
    case 'kafka':
      return `topic ${sink.topic} at ${sink.brokers.join(', ')}`;
    case 's3':
      return `${sink.endpoint}/${sink.bucket}/${sink.prefix}`;
    case 'webhook':
    case 'splunk-hec':
    case 'elasticsearch':
    case 'otlp': {
      // The query may hold a token.
      const { origin, pathname } = new URL(sink.url);
      return `${origin}${pathname}`;
    }
    default:
      return unreachable(sink);
  }
}

function optional(reference: string | undefined): (() => string) | undefined {
  return reference === undefined ? undefined : () => readSecret(reference);
}

function pem(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new Fault('CONFIG_INVALID', `the certificate ${path} cannot be read`, { cause });
  }
}
