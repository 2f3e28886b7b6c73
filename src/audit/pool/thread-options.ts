import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

/**
 * Options for a thread that runs the TypeScript sources; none for compiled ones. On Node 20 an inherited `--import tsx`
 * registers nothing outside the main thread, so the thread registers it again.
 */
export function registeringTypeScript(): { execArgv?: string[] } {
  if (!import.meta.url.endsWith('.ts')) return {}
  // Not import.meta.resolve: the test runner loads this file with require. tsx has a module of each kind.
  const twin = createRequire(import.meta.url)
    .resolve('tsx/esm/api')
    .replace(/\.cjs$/, '.mjs')
  const tsx = JSON.stringify(pathToFileURL(twin).href)
  return { execArgv: ['--import', `data:text/javascript,import{register}from${tsx};register()`] }
}
