import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

/**
 * What a thread needs to run the sources themselves; nothing for compiled ones. On Node 20 an inherited `--import tsx`
 * registers nothing outside the main thread, so it is registered in the thread again.
 */
export function registeringTypeScript(): { execArgv?: string[] } {
  if (!import.meta.url.endsWith('.ts')) return {}
  // Not import.meta.resolve: the test runner loads this file with require. The module has a twin of each kind.
  const twin = createRequire(import.meta.url)
    .resolve('tsx/esm/api')
    .replace(/\.cjs$/, '.mjs')
  const tsx = JSON.stringify(pathToFileURL(twin).href)
  return { execArgv: ['--import', `data:text/javascript,import{register}from${tsx};register()`] }
}
