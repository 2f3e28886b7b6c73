import { onEmbeddedServer } from './on-embedded-server.ts'
import { parts } from './suite.ts'

onEmbeddedServer(parts.modelling)
