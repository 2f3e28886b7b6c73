import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Extension of the sources: `.ts` where the sources run, `.js` in the tree that `npm test` compiles. */
const extension = extname(import.meta.url)

/** @param source path in the tree, relative to the file that names it: `asRun('./worker.ts', import.meta.url)` */
export const asRun = (source: string, base: string): URL => new URL(source.replace(/\.ts$/, extension), base)

/** The arguments with which Node.js runs a script of the tree. */
export function nodeArguments(source: string, base: string): string[] {
  const path = fileURLToPath(asRun(source, base))
  return extension === '.ts' ? ['--import', 'tsx', path] : [path]
}
