// Images that tests in the guest find in containerd's namespace k8s.io, once `containerd-up` has run.

export { busyboxImage, pauseImage } from '../../cluster/binaries/images.ts'

/** Debian with bash, coreutils, python3 and the probes in /probes; where a folder of tests asks for it. */
export const debianImage = 'docker.io/varmor/debian:1'

/** The same with servers: nginx, redis, postgresql, node and caddy; where a folder of tests asks for it. */
export const servicesImage = 'docker.io/varmor/services:1'
