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
    throw new TypeError(`--webhookMatchLabel must be KEY=VALUE, or empty for all workloads, not ${text}`)
  return { key, value }
}
