import { defaultOptIn as label } from '../../api/annotations.ts'

export const defaultOptIn = `${label.key}=${label.value}`

/**
 * Parses the label of `--webhookMatchLabel`: `key=value`, or empty for all workloads.
 * @throws {TypeError} for any other text
 */
export function parseOptIn(text: string): { key: string; value: string } | undefined {
  if (text === '') return undefined
  const [key = '', value = '', ...rest] = text.split('=')
  if (key === '' || value === '' || rest.length > 0)
    throw new TypeError(`--webhookMatchLabel takes KEY=VALUE, or nothing to consider all workloads, and not ${text}`)
  return { key, value }
}
