import type { Container, Pod } from '../../../src/sandbox/controllers/objects.ts'

/** A pod as the API server stores it; `spec` may contain any field. */
export function podOf(spec: object = {}, metadata: object = {}, status: object = {}): Pod {
  const usual = { containers: [containerOf()] }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'demo', uid: 'u-1', ...metadata },
    spec: { ...usual, ...spec },
    status,
  } as unknown as Pod
}

export const containerOf = (fields: object = {}): Container =>
  ({ name: 'main', image: 'busybox', ...fields }) as unknown as Container
