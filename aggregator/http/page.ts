/** The dashboard's page: its few files, read once; no request names a file of this machine. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { FastifyInstance } from 'fastify';

/** Beside this program when it is built; in a checkout it is where the build puts it. */
const PLACES = [join(__dirname, '../../dashboard'), join(__dirname, '../../dist/dashboard')];

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Of the style that Observable Plot puts into each picture. The tests see that nothing is refused. */
const PLOT_STYLE = "'sha256-jSYQUrW7J0b3jPqhZP9C2Xh1PyJKHKXd4s0fpGGKrww='";

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  `style-src 'self' ${PLOT_STYLE}`,
  "img-src 'self' data: blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const builtFolder = (): string | undefined => PLACES.find((place) => existsSync(join(place, 'index.html')));

/** Served from a file, everything that the page loads is in it, and may be known by its digest alone. */
const savedPolicy = (script: string, style: string) =>
  [
    ...["default-src 'none'", `script-src '${digestOf(script)}'`, `style-src '${digestOf(style)}' ${PLOT_STYLE}`],
    ...['img-src data: blob:', "base-uri 'none'", "form-action 'none'"],
  ].join('; ');

const digestOf = (text: string) => `sha256-${createHash('sha256').update(text).digest('base64')}`;

/**
 * The page and what it shows as one file, which needs no server.
 * @param saved see charts/dashboard/source.ts
 * @throws Error when the page is not built
 */
export function savedPage(saved: object): string {
  const folder = builtFolder();
  if (folder === undefined) throw new Error('the page is not built: npm run build');
  const page = readFileSync(join(folder, 'index.html'), 'utf8');
  const asset = (pattern: RegExp) => readFileSync(join(folder, pattern.exec(page)![1]!), 'utf8');
  // Nothing in a script may end it: a string says the same with an escape, and so does JSON.
  const script = asset(/src="(\.\/assets\/[^"]+\.js)"/).replaceAll('</script', '<\\/script');
  const style = asset(/href="(\.\/assets\/[^"]+\.css)"/);
  const json = JSON.stringify(saved).replaceAll('<', '\\u003c');
  return [
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
    `<meta http-equiv="content-security-policy" content="${savedPolicy(script, style)}">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="color-scheme" content="light dark">\n<title>prunesweep</title>\n<link rel="icon" href="data:,">',
    `<style>${style}</style>\n</head>\n<body>\n<div id="page"></div>`,
    `<script type="application/json" id="saved">${json}</script>`,
    `<script type="module">${script}</script>\n</body>\n</html>\n`,
  ].join('\n');
}

/** Serves the page at /; without a built page / shows the description of the API. */
export function pageRoutes(server: FastifyInstance): void {
  server.addHook('onSend', async (_, reply) => {
    reply
      .header('content-security-policy', POLICY)
      .header('x-content-type-options', 'nosniff')
      .header('referrer-policy', 'no-referrer')
      .header('cross-origin-resource-policy', 'same-origin');
  });
  const folder = builtFolder();
  if (folder === undefined) {
    server.get('/', { schema: { hide: true } }, (_, reply) => reply.redirect('/openapi.json'));
    return;
  }
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => extname(name) in TYPES);
  for (const name of names) {
    const plain = readFileSync(join(folder, name));
    const zipped = gzipSync(plain, { level: 9 });
    const path = name === 'index.html' ? '/' : `/${name.replaceAll('\\', '/')}`;
    server.get(path, { schema: { hide: true } }, (request, reply) => {
      const isZipped = /\bgzip\b/.test(request.headers['accept-encoding'] ?? '');
      reply.type(TYPES[extname(name)]!).header('vary', 'accept-encoding');
      // Names of assets change with their content; the page's does not.
      reply.header('cache-control', path === '/' ? 'no-cache' : 'public, max-age=31536000, immutable');
      if (isZipped) reply.header('content-encoding', 'gzip');
      return reply.send(isZipped ? zipped : plain);
    });
  }
}
