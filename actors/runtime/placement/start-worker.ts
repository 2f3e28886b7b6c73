import { Worker, type WorkerOptions } from 'node:worker_threads'

/** Starts the worker of a thread, from the compiled entry file or from the source file. */
export function startWorker(options: WorkerOptions): Worker {
  const entry = import.meta.url.endsWith('.ts') ? './from-source.mjs' : './thread-entry.js'
  return new Worker(new URL(entry, import.meta.url), options)
}
