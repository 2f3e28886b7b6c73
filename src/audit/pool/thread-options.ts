import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

/**
 * Options for a thread that runs the TypeScript sources; no options for compiled sources. On Node 20 an inherited
 * `--import tsx` registers nothing outside the main thread, so the thread registers it again.
 */
export function registeringTypeScript(): { execArgv?: string[] } {
  if (!import.meta.url.endsWith('.ts')) return {}
  // Not import.meta.resolve, because the test runner loads this file with require. tsx has a module for each way of
  // loading.
  const twin = createRequire(import.meta.url)
    .resolve('tsx/esm/api')
    .replace(/\.cjs$/, '.mjs')
  const tsx = JSON.stringify(pathToFileURL(twin).href)
  return { execArgv: ['--import', `data:text/javascript,import{register}from${tsx};register()`] }
}
