import { pino } from 'pino'
import type { Logger } from '../base/logger.ts'
import { printable } from './output.ts'

export const logFormats = ['text', 'json'] as const
export type LogFormat = (typeof logFormats)[number]

export interface LoggerOptions {
  format: LogFormat
  /** 0: normal messages; 1 or more: debug messages, too. */
  verbosity: number
  /** File descriptor. Default 1: upstream's roles log to standard output. */
  fd?: number
}

/** A logger that writes each line synchronously, because lines are few and important. `level` may be changed. */
export function roleLogger({ format, verbosity, fd = 1 }: LoggerOptions): Logger & { level: string } {
  const options = {
    base: null,
    level: verbosity > 0 ? 'debug' : 'info',
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: pino.stdSerializers.err },
  }
  const out = pino.destination({ fd, sync: true })
  return format === 'json' ? pino(options, out) : pino(options, { write: (line) => void out.write(textLine(line)) })
}

interface LogLine {
  level: number
  time: string
  msg?: string
  [field: string]: unknown
}

/** `TIME LEVEL message key=value ...` from a pino line. */
export function textLine(json: string): string {
  const { level, time, msg = '', ...fields } = JSON.parse(json) as LogLine
  const words = Object.entries(fields).map(([key, value]) => `${key}=${valueText(value)}`)
  return `${[time, pino.levels.labels[level]?.toUpperCase().padEnd(5), printable(msg), ...words].join(' ')}\n`
}

function valueText(value: unknown): string {
  if (typeof value === 'object' && value !== null && 'stack' in value) return JSON.stringify(value.stack)
  if (typeof value === 'string' && /^[\w./:@+-]+$/.test(value)) return value
  return JSON.stringify(value)
}
