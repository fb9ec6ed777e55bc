// What `npm run dev` and `npm run preview` answer under /api: with HONE_API=http://127.0.0.1:8080 a
// running hone-server, otherwise the stand-in of mock.ts. Preview also sends the server's headers,
// so that the built page is seen under its real Content-Security-Policy.

import type {Plugin} from 'vite';
import {mockApi} from './mock';

const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
  "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types lit-html dompurify";

export function devServer(): Plugin {
  const target = process.env.HONE_API;
  const proxy = target
    ? {'/api': {target, changeOrigin: true, headers: {origin: target}}}
    : undefined;
  return {
    name: 'hone-dev-server',
    config: () => (proxy ? {server: {proxy}, preview: {proxy}} : {}),
    configureServer(server) {
      if (!target) server.middlewares.use(mockApi());
    },
    configurePreviewServer(server) {
      server.middlewares.use((_request, response, next) => {
        response.setHeader('Content-Security-Policy', CSP);
        response.setHeader('X-Content-Type-Options', 'nosniff');
        response.setHeader('Referrer-Policy', 'no-referrer');
        next();
      });
      if (!target) server.middlewares.use(mockApi());
    },
  };
}
