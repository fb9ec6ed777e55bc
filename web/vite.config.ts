// How the page is built: plain files under dist/, every script and style its own file, because the
// server's Content-Security-Policy allows nothing inline.
import {defineConfig} from 'vitest/config';
import {devServer} from './dev/plugin';

export default defineConfig(({command, isPreview}) => ({
  base: './',
  // In development only: a stand-in for hone-server (HONE_API unset) or a way through to a real one.
  plugins: command === 'serve' || isPreview ? [devServer()] : [],
  build: {
    target: 'es2022',
    modulePreload: {polyfill: false},
    cssCodeSplit: false,
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
  test: {include: ['test/**/*.test.ts'], setupFiles: ['test/setup.ts'], environment: 'node'},
}));
