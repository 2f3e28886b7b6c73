import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

/**
 * Options for a thread of Piscina. They work for source files (.ts) and for compiled files.
 *
 * Piscina first loads a thread's entry with require(). If a thread ends while require() loads an ES module, Node.js 20
 * aborts the process with all its threads. With this flag, require() refuses ES modules, and Piscina imports the entry.
 */
export function threadOptions(): { execArgv: string[] } {
  const flags = ['--no-experimental-require-module']
  if (!import.meta.url.endsWith('.ts')) return { execArgv: flags }
  // On Node 20 an inherited `--import tsx` has no effect outside the main thread, so the thread registers tsx itself.
  // Not import.meta.resolve, because the test runner loads this file with require(). createRequire finds the CommonJS
  // variant of tsx; the thread needs the ES module.
  const twin = createRequire(import.meta.url)
    .resolve('tsx/esm/api')
    .replace(/\.cjs$/, '.mjs')
  const tsx = JSON.stringify(pathToFileURL(twin).href)
  // Node.js warns about each .ts entry that require() refuses.
  return {
    execArgv: [...flags, '--no-warnings', '--import', `data:text/javascript,import{register}from${tsx};register()`],
  }
}
