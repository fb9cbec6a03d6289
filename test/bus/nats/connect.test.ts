/** Coming in: TLS, credentials files, and servers that will not do. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, connect as dial, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nkeys } from 'nats';
import { describe, expect, it, onTestFinished } from 'vitest';
import { connectNats, type NatsOptions } from '../../../bus/nats/connect';
import { DataError, UsageError } from '../../../sweep/errors';
import { hasNats, NatsServer, whyNoNats } from '../../servers/nats';

async function serverWith(config = ''): Promise<NatsServer> {
  const server = await NatsServer.start(config);
  onTestFinished(() => server.stop());
  return server;
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'prunesweep-connect-'));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

/** Comes in, and answers what was said to be waited for. */
async function come(options: NatsOptions): Promise<string[]> {
  const said: string[] = [];
  const link = await connectNats(options, 'test', (line) => said.push(line));
  onTestFinished(() => link.connection.close());
  await link.connection.flush();
  return said;
}

/** Fails at the first line of what is waited for, as a test that waits for ever would say less. */
function refusedNow(options: NatsOptions): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const waits = (line: string) => reject(new Error(`is waited for: ${line}`));
    connectNats(options, 'test', waits).then(
      async ({ connection }) => {
        await connection.close();
        reject(new Error('was let in'));
      },
      (error) => resolve(error),
    );
  });
}

async function expectRefusal(options: NatsOptions, kind: typeof DataError | typeof UsageError, words: RegExp) {
  const error = (await refusedNow(options)) as Error;
  expect(error).toBeInstanceOf(kind);
  expect(error.message).toMatch(words);
}

/** An authority, and certificates from it for a server on this machine and for a client. */
function certificates() {
  const at = folder();
  const path = (name: string) => join(at, name);
  const openssl = (...words: string[]) => execFileSync('openssl', words, { cwd: at, stdio: 'pipe' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const authority = (name: string) =>
    openssl(
      'req',
      '-x509',
      ...key,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.pem`,
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
    );
  authority('ca');
  authority('other-ca');
  const signed = (name: string, extension: string) => {
    openssl('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    writeFileSync(path(`${name}.ext`), extension);
    const by = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2'];
    openssl('x509', '-req', '-in', `${name}.csr`, ...by, '-extfile', `${name}.ext`, '-out', `${name}.pem`);
  };
  signed('server', 'subjectAltName=IP:127.0.0.1,DNS:localhost');
  signed('client', 'extendedKeyUsage=clientAuth');
  const files = `cert_file: "${path('server.pem')}", key_file: "${path('server.key')}", ca_file: "${path('ca.pem')}"`;
  return { path, tls: `tls { ${files} }`, mutualTls: `tls { ${files}, verify: true }` };
}

describe.runIf(hasNats)(`TLS to NATS${whyNoNats}`, () => {
  it('is spoken with a server whose authority is given, by nats:// or tls://, by address or name', async () => {
    const { path, tls } = certificates();
    const { url } = await serverWith(tls);
    for (const address of [url, url.replace('nats:', 'tls:'), url.replace('127.0.0.1', 'localhost')])
      expect(await come({ url: address, ca: path('ca.pem') })).toEqual([]);
  });

  it('is refused with a server whose authority is not known', async () => {
    const { path, tls } = certificates();
    const { url } = await serverWith(tls);
    await expectRefusal({ url }, DataError, /--ca names the authority/);
    await expectRefusal({ url, ca: path('other-ca.pem') }, DataError, /--ca names the authority/);
    writeFileSync(path('no.pem'), '-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n');
    await expectRefusal({ url, ca: path('no.pem') }, DataError, /--ca/);
    await expectRefusal({ url, ca: path('absent.pem') }, UsageError, /--ca .*absent\.pem: ENOENT; give a file/);
  });

  it('is refused with a server that has none', async () => {
    const { url } = await serverWith();
    await expectRefusal({ url: url.replace('nats:', 'tls:') }, DataError, /has no TLS; .*nats:\/\//);
  });

  it("takes a client's certificate where the server wants one, and says so where it is missing", async () => {
    const { path, mutualTls } = certificates();
    const { url } = await serverWith(mutualTls);
    const ca = path('ca.pem');
    expect(await come({ url, ca, cert: path('client.pem'), key: path('client.key') })).toEqual([]);
    await expectRefusal({ url, ca }, DataError, /wants a certificate.*--cert and --key/);
    const foreign = { cert: path('other-ca.pem'), key: path('other-ca.key') };
    await expectRefusal({ url, ca, ...foreign }, DataError, /--cert and --key/);
    await expectRefusal({ url, ca, cert: path('client.pem'), key: path('server.key') }, DataError, /--cert and --key/);
    await expectRefusal({ url, ca, cert: path('client.pem') }, UsageError, /--cert and --key go together/);
  });
});

/** A signed claim about who somebody is, as nsc makes it. */
function jwt(by: ReturnType<typeof nkeys.createOperator>, subject: string, name: string, nats: object, rest = {}) {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const claims = { jti: name, iat: Math.floor(Date.now() / 1000), iss: by.getPublicKey(), sub: subject, name, ...rest };
  const text = `${encode({ typ: 'JWT', alg: 'ed25519-nkey' })}.${encode({ ...claims, nats: { version: 2, ...nats } })}`;
  return `${text}.${Buffer.from(by.sign(Buffer.from(text))).toString('base64url')}`;
}

/** An operator with an account that the server knows, and what makes credentials files. */
function operator() {
  const key = nkeys.createOperator();
  const [system, account, stranger] = [nkeys.createAccount(), nkeys.createAccount(), nkeys.createAccount()];
  const all = -1;
  const limits = {
    subs: all,
    data: all,
    payload: all,
    imports: all,
    exports: all,
    wildcards: true,
    conn: all,
    leaf: all,
  };
  const accountJwt = (whose: typeof account, name: string, more = {}) =>
    jwt(key, whose.getPublicKey(), name, { type: 'account', limits: { ...limits, ...more } });
  const at = folder();
  const config = [
    `operator: "${jwt(key, key.getPublicKey(), 'operator', { type: 'operator' })}"`,
    `system_account: ${system.getPublicKey()}`,
    'resolver: MEMORY',
    'resolver_preload {',
    `${system.getPublicKey()}: "${accountJwt(system, 'system')}"`,
    `${account.getPublicKey()}: "${accountJwt(account, 'account', { mem_storage: all, disk_storage: all })}"`,
    '}',
  ].join('\n');
  const creds = (name: string, of: typeof account, rest = {}) => {
    const user = nkeys.createUser();
    const token = jwt(of, user.getPublicKey(), name, { type: 'user', subs: all, data: all, payload: all }, rest);
    const block = (label: string, text: string) => `-----BEGIN ${label}-----\n${text}\n------END ${label}------\n`;
    const seed = Buffer.from(user.getSeed()).toString();
    const file = join(at, `${name}.creds`);
    writeFileSync(file, `${block('NATS USER JWT', token)}\n${block('USER NKEY SEED', seed)}`);
    return { file, token, seed, block };
  };
  return { at, config, account, stranger, creds };
}

describe.runIf(hasNats)(`a credentials file for NATS${whyNoNats}`, () => {
  it('lets its user in', async () => {
    const { config, account, creds } = operator();
    const { url } = await serverWith(config);
    expect(await come({ url, creds: creds('user', account).file })).toEqual([]);
  });

  it("of another's account, of one that has expired, or none at all does not", async () => {
    const { config, account, stranger, creds } = operator();
    const { url } = await serverWith(config);
    const words = /refuses this user, password or credentials file; give what it knows/;
    await expectRefusal({ url, creds: creds('stranger', stranger).file }, DataError, words);
    await expectRefusal({ url, creds: creds('late', account, { exp: 1_000_000_000 }).file }, DataError, words);
    await expectRefusal({ url }, DataError, words);
  });

  it('that is damaged or absent is refused before any server is asked', async () => {
    const { at, account, creds } = operator();
    const { token, seed, block } = creds('user', account);
    const url = 'nats://127.0.0.1:1';
    const damaged = {
      empty: '',
      text: 'no credentials',
      'jwt-only': block('NATS USER JWT', token),
      'bad-seed': block('NATS USER JWT', token) + block('USER NKEY SEED', `${seed.slice(0, -2)}AA`),
    };
    for (const [name, text] of Object.entries(damaged)) {
      const file = join(at, name);
      writeFileSync(file, text);
      await expectRefusal({ url, creds: file }, DataError, new RegExp(`--creds ${file}: no credentials of a user`));
    }
    await expectRefusal({ url, creds: join(at, 'absent') }, UsageError, /--creds .*absent: ENOENT; give a file/);
  });

  it('with a letter changed in its token is refused', async () => {
    const { at, config, account, creds } = operator();
    const { url } = await serverWith(config);
    const { token, seed, block } = creds('user', account);
    const file = join(at, 'changed');
    const changed = token.slice(0, -10) + (token.at(-10) === 'A' ? 'B' : 'A') + token.slice(-9);
    writeFileSync(file, `${block('NATS USER JWT', changed)}\n${block('USER NKEY SEED', seed)}`);
    await expectRefusal({ url, creds: file }, DataError, /refuses this user, password or credentials file/);
  });
});

const listening = async (server: Server): Promise<string> => {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(() => void server.close());
  return `nats://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

/** Stands before a server and changes what it says of itself. */
function relay(url: string, change: (info: string) => string): Promise<string> {
  const { hostname, port } = new URL(url);
  const server = createServer((client) => {
    const upstream = dial(Number(port), hostname);
    // It says it twice: at once, and when it has let the client in.
    upstream.on('data', (data) => client.write(change(data.toString('latin1')), 'latin1'));
    client.pipe(upstream);
    for (const [one, other] of [[client, upstream] as const, [upstream, client] as const])
      one.on('error', () => other.destroy()).on('close', () => other.destroy());
  });
  return listening(server);
}

describe.runIf(hasNats)(`a NATS server${whyNoNats}`, () => {
  it('that is older than what the ledger needs is refused, and one just new enough is not', async () => {
    const server = await serverWith();
    const of = (version: string) =>
      relay(server.url, (info) => info.replace(/"version":"[^"]*"/, `"version":"${version}"`));
    const old = await of('2.10.9');
    await expectRefusal({ url: old }, DataError, /is version 2\.10\.9; prunesweep needs 2\.11 or newer/);
    expect(await come({ url: await of('2.11.0') })).toEqual([]);
  });

  it('without JetStream is refused, with the mend', async () => {
    const { url } = await serverWith('jetstream: disabled');
    await expectRefusal({ url }, DataError, /has no JetStream; start it with --jetstream or a jetstream block/);
  });

  it('that is not there is waited for, and that is said', async () => {
    const server = await serverWith();
    await server.kill();
    const said: string[] = [];
    const coming = connectNats({ url: server.url }, 'test', (line) => said.push(line));
    await expect.poll(() => said.length).toBeGreaterThan(1);
    await server.begin();
    const link = await coming;
    onTestFinished(() => link.connection.close());
    await link.connection.flush();
    const { host } = new URL(server.url);
    expect(said[0]).toBe(`NATS at ${host} is away (CONNECTION_REFUSED); waiting for it`);
  });

  it('that speaks another language is refused', async () => {
    const url = await listening(createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')));
    await expectRefusal({ url }, DataError, /does not answer as NATS does; give the address of its client port/);
  });
});
