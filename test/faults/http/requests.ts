/** Requests as nobody should send them: drawn from a seed, and nothing else. */
import { RandomStream } from '../../../trainer/random';

export interface OddRequest {
  bytes: Buffer;
  /** What becomes of the connection once it is sent; `read` waits for the end of the answer. */
  then: 'read' | 'leave when answered' | 'leave at once' | 'say no more';
}

const METHODS = ['GET', 'GET', 'GET', 'GET', 'GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE'];
const ODD_METHODS = ['get', 'CONNECT', 'PRI', 'PROPFIND', 'G\u0000T', ''];
const PATHS = [
  ...['/', '/api/sweeps', '/metrics', '/healthz', '/readyz', '/openapi.json', '/api/quarantine', '/api/store.duckdb'],
  ...['', '/cells', '/events', '/trials', '/trials', '/trials', '/trials.csv', '/trials.parquet', '/sweep.yaml'].map(
    (file) => `/api/sweeps/test${file}`,
  ),
  ...['json', 'csv', 'md', 'tex'].map((format) => `/api/sweeps/test/table.${format}`),
  ...['/api/trials/TRIAL', '/api/trials/', '/assets/x.js', '/api/sweeps/nobody/cells', '*', '//', 'http://localhost/'],
];
const PARAMETERS = ['after', 'limit', 'network', 'recipe', 'seed', 'remainingWeights', 'state', '__proto__', 'x[]', ''];
const VALUES = [
  ...['', '0', '-1', '1', '5', '1000', '1e3', '1e308', '1e309', '-0', '0x10', 'NaN', 'null', 'true', '2147483648'],
  ...['9007199254740993', '-9223372036854775809', '18446744073709551616', '1.5', ' 1', '%00', '%ff', '%', '%F0%9F%98'],
  ...['recorded', 'failed', '300-100', "' OR 1=1 --", '");DROP TABLE records;--', '<img%20src=x>', '%2e%2e%2f', '$1'],
];
const HEADERS = [
  ...[
    'Accept: */*',
    'Accept-Encoding: gzip',
    'Range: bytes=0-1',
    'Range: bytes=-1-',
    'If-None-Match: *',
    'Cookie: a=b',
  ],
  ...['If-None-Match: "', 'Last-Event-ID: 0123456789ab-3', 'Last-Event-ID: -1', 'Last-Event-ID: a-9e9', 'Origin: null'],
  ...[
    'Last-Event-ID: %00',
    'Upgrade: websocket',
    'Connection: upgrade',
    'Content-Type: application/json',
    '__proto__: x',
  ],
  ...['X-Forwarded-Uri: /api/v1/namespaces/a/services/b/proxy/', 'X-Forwarded-For: 1.2.3.4', 'Expect: 100-continue'],
];
/** These end most requests. */
const ODD_HEADERS = [
  ...['Accept-Encoding: \u00ff', 'Expect: nothing', 'Transfer-Encoding: chunked', 'Transfer-Encoding: identity', ': x'],
  ...['Content-Length: 5', 'Content-Length: -1', 'Content-Length: 99999999999999999999', 'X: \u0000', 'x', 'Host: '],
  ...['Content-Type: multipart/form-data', 'Host: evil.example', `X-Long: ${'x'.repeat(9000)}`],
];
const BODIES = [
  '',
  '{',
  '{}',
  'null',
  '[[[[',
  '5\r\nhello\r\n0\r\n\r\n',
  'zz\r\n',
  '\u0000'.repeat(64),
  'x'.repeat(3000),
];

/** @param trial id of a trial that is there */
export function oddRequest(seed: number, trial: string): OddRequest {
  const stream = new RandomStream(seed, 'requests');
  const one = <T>(items: readonly T[]): T => items[stream.below(items.length)]!;
  const happens = (in100: number) => stream.below(100) < in100;
  const many = <T>(most: number, draw: () => T): T[] => Array.from({ length: stream.below(most + 1) }, draw);
  const noise = (length: number) => Buffer.from(Array.from({ length }, () => stream.below(256))).toString('latin1');

  let path = one(PATHS).replace('TRIAL', trial);
  if (happens(15))
    path += one(['/', '/..', '/../../etc/passwd', '/%2e%2e%2fcli.js', '%', '%00', `/${noise(12)}`, '\\..\\', '#x']);
  if (happens(2)) path += 'x'.repeat(stream.below(20_000));
  const query = many(3, () => `${one(PARAMETERS)}=${one(VALUES)}`).join('&');
  if (query !== '') path += `?${query}`;
  const version = happens(95) ? 'HTTP/1.1' : one(['HTTP/1.0', 'HTTP/2.0', 'HTTP/9.9', 'FTP', '']);
  const method = happens(95) ? one(METHODS) : one(ODD_METHODS);
  const host = happens(95) ? ['Host: localhost'] : [];
  const headers = [
    ...host,
    ...many(4, () => one(happens(92) ? HEADERS : ODD_HEADERS)),
    ...(happens(50) ? ['Connection: close'] : []),
  ];
  const end = happens(97) ? '\r\n' : one(['\n', '\r', '\r\n\r\n']);
  const body = happens(20) ? one(BODIES) : '';
  let text = `${[`${method} ${path} ${version}`, ...headers].join(end)}${end}${end}${body}`;
  if (happens(3)) text = text.repeat(1 + stream.below(20));
  let bytes = Buffer.from(text, happens(50) ? 'latin1' : 'utf8');
  if (happens(5)) for (const at of many(8, () => stream.below(bytes.length))) bytes[at] = stream.below(256);
  if (happens(5)) bytes = bytes.subarray(0, stream.below(bytes.length + 1));
  if (happens(1)) bytes = Buffer.from(noise(stream.below(2000)), 'latin1');
  const then = happens(60) ? 'leave when answered' : one(['read', 'leave at once', 'say no more'] as const);
  return { bytes, then };
}
