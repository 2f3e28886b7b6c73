import { open } from 'node:fs/promises'
import { type CriContainerStatus, terminationPathAnnotation, terminationPolicyAnnotation } from './cri-types.ts'
import { readLog } from './read-log.ts'

/** Bytes of a message, and bytes and lines of a log that takes its place (kubernetes, pkg/kubelet/container/runtime.go). */
const longest = 4096
const longestLog = 2048
const mostLines = 80

/** What the process of a container left as its last words: in its termination file, or where its pod wants so, its log. */
export async function lastWords(status: CriContainerStatus): Promise<string> {
  const { mounts, annotations, exitCode, logPath } = status
  const path = annotations[terminationPathAnnotation]
  const file = mounts.find(({ containerPath }) => containerPath === path)?.hostPath
  const written = file === undefined ? '' : await endOf(file, longest)
  const mayUseLog = annotations[terminationPolicyAnnotation] === 'FallbackToLogsOnError' && exitCode !== 0
  return written === '' && mayUseLog ? endOfLog(logPath) : written
}

async function endOf(path: string, bytes: number): Promise<string> {
  const file = await open(path, 'r').catch(ignoreMissing)
  if (file === undefined) return ''
  try {
    const { size } = await file.stat()
    const length = Math.min(size, bytes)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length)
    return buffer.toString('utf8', 0, bytesRead)
  } finally {
    await file.close()
  }
}

async function endOfLog(path: string): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of readLog(path, { tailLines: mostLines })) chunks.push(chunk)
  return Buffer.concat(chunks).subarray(-longestLog).toString('utf8')
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}
