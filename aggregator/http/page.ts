/** The dashboard's page: its few files, read once; no request names a file of this machine. */
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

/** Serves the page at /; without a built page / shows the description of the API. */
export function pageRoutes(server: FastifyInstance): void {
  server.addHook('onSend', async (_, reply) => {
    reply
      .header('content-security-policy', POLICY)
      .header('x-content-type-options', 'nosniff')
      .header('referrer-policy', 'no-referrer')
      .header('cross-origin-resource-policy', 'same-origin');
  });
  const folder = PLACES.find((place) => existsSync(join(place, 'index.html')));
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
