import type { AdmissionPlugin } from '../admission-chain.ts'

const finalizers: Record<string, string> = {
  '/persistentvolumeclaims': 'kubernetes.io/pvc-protection',
  '/persistentvolumes': 'kubernetes.io/pv-protection',
}

/** Storage in use is protected by a finalizer (Kubernetes' StorageObjectInUseProtection). */
export const storageProtection: AdmissionPlugin = {
  mutate({ object, operation, resource, subresource }) {
    if (operation !== 'CREATE' || subresource !== '' || !object) return undefined
    const finalizer = finalizers[resource.storage]
    if (finalizer === undefined) return undefined
    const given = object.metadata.finalizers ?? []
    if (given.includes(finalizer)) return undefined
    return { ...object, metadata: { ...object.metadata, finalizers: [...given, finalizer] } }
  },
}
