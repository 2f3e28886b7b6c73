/**
 * The messages of Kubernetes 1.37's protobuf encoding that clients send, one a line: the name, then `number:field:type` for
 * each field. Types: s text, i integer, b boolean, f double, y bytes, q Quantity, t Time, u MicroTime, d Duration,
 * o IntOrString, r raw JSON, x list of texts in a message, mNAME message, [T list, MT map from text, *T pointer (written even when zero),
 * ~T embedded in its parent. Facts from the tags of k8s.io/api and k8s.io/apimachinery.
 */
export const messageLines = `
admissionregistration/v1.MatchCondition 1:name:s 2:expression:s
admissionregistration/v1.MutatingWebhook 1:name:s 2:clientConfig:madmissionregistration/v1.WebhookClientConfig 3:rules:[madmissionregistration/v1.RuleWithOperations 4:failurePolicy:*s 9:matchPolicy:*s 5:namespaceSelector:*mmeta/v1.LabelSelector 11:objectSelector:*mmeta/v1.LabelSelector 6:sideEffects:*s 7:timeoutSeconds:*i 8:admissionReviewVersions:[s 10:reinvocationPolicy:*s 12:matchConditions:[madmissionregistration/v1.MatchCondition
admissionregistration/v1.MutatingWebhookConfiguration 1:metadata:mmeta/v1.ObjectMeta 2:webhooks:[madmissionregistration/v1.MutatingWebhook
admissionregistration/v1.Rule 1:apiGroups:[s 2:apiVersions:[s 3:resources:[s 4:scope:*s
admissionregistration/v1.RuleWithOperations 1:operations:[s 2::~madmissionregistration/v1.Rule
admissionregistration/v1.ServiceReference 1:namespace:s 2:name:s 3:path:*s 4:port:*i
admissionregistration/v1.ValidatingWebhook 1:name:s 2:clientConfig:madmissionregistration/v1.WebhookClientConfig 3:rules:[madmissionregistration/v1.RuleWithOperations 4:failurePolicy:*s 9:matchPolicy:*s 5:namespaceSelector:*mmeta/v1.LabelSelector 10:objectSelector:*mmeta/v1.LabelSelector 6:sideEffects:*s 7:timeoutSeconds:*i 8:admissionReviewVersions:[s 11:matchConditions:[madmissionregistration/v1.MatchCondition
admissionregistration/v1.ValidatingWebhookConfiguration 1:metadata:mmeta/v1.ObjectMeta 2:webhooks:[madmissionregistration/v1.ValidatingWebhook
admissionregistration/v1.WebhookClientConfig 3:url:*s 1:service:*madmissionregistration/v1.ServiceReference 2:caBundle:y
apps/v1.ControllerRevision 1:metadata:mmeta/v1.ObjectMeta 2:data:r 3:revision:i
apps/v1.DaemonSet 1:metadata:mmeta/v1.ObjectMeta 2:spec:mapps/v1.DaemonSetSpec 3:status:mapps/v1.DaemonSetStatus
apps/v1.DaemonSetCondition 1:type:s 2:status:s 3:lastTransitionTime:t 4:reason:s 5:message:s
apps/v1.DaemonSetSpec 1:selector:*mmeta/v1.LabelSelector 2:template:mcore/v1.PodTemplateSpec 3:updateStrategy:mapps/v1.DaemonSetUpdateStrategy 4:minReadySeconds:i 6:revisionHistoryLimit:*i
apps/v1.DaemonSetStatus 1:currentNumberScheduled:i 2:numberMisscheduled:i 3:desiredNumberScheduled:i 4:numberReady:i 5:observedGeneration:i 6:updatedNumberScheduled:i 7:numberAvailable:i 8:numberUnavailable:i 9:collisionCount:*i 10:conditions:[mapps/v1.DaemonSetCondition
apps/v1.DaemonSetUpdateStrategy 1:type:s 2:rollingUpdate:*mapps/v1.RollingUpdateDaemonSet
apps/v1.Deployment 1:metadata:mmeta/v1.ObjectMeta 2:spec:mapps/v1.DeploymentSpec 3:status:mapps/v1.DeploymentStatus
apps/v1.DeploymentCondition 1:type:s 2:status:s 6:lastUpdateTime:t 7:lastTransitionTime:t 4:reason:s 5:message:s
apps/v1.DeploymentSpec 1:replicas:*i 2:selector:*mmeta/v1.LabelSelector 3:template:mcore/v1.PodTemplateSpec 4:strategy:mapps/v1.DeploymentStrategy 5:minReadySeconds:i 6:revisionHistoryLimit:*i 7:paused:b 9:progressDeadlineSeconds:*i
apps/v1.DeploymentStatus 1:observedGeneration:i 2:replicas:i 3:updatedReplicas:i 7:readyReplicas:i 4:availableReplicas:i 5:unavailableReplicas:i 9:terminatingReplicas:*i 6:conditions:[mapps/v1.DeploymentCondition 8:collisionCount:*i
apps/v1.DeploymentStrategy 1:type:s 2:rollingUpdate:*mapps/v1.RollingUpdateDeployment
apps/v1.ReplicaSet 1:metadata:mmeta/v1.ObjectMeta 2:spec:mapps/v1.ReplicaSetSpec 3:status:mapps/v1.ReplicaSetStatus
apps/v1.ReplicaSetCondition 1:type:s 2:status:s 3:lastTransitionTime:t 4:reason:s 5:message:s
apps/v1.ReplicaSetSpec 1:replicas:*i 4:minReadySeconds:i 2:selector:*mmeta/v1.LabelSelector 3:template:mcore/v1.PodTemplateSpec
apps/v1.ReplicaSetStatus 1:replicas:i 2:fullyLabeledReplicas:i 4:readyReplicas:i 5:availableReplicas:i 7:terminatingReplicas:*i 3:observedGeneration:i 6:conditions:[mapps/v1.ReplicaSetCondition
apps/v1.RollingUpdateDaemonSet 1:maxUnavailable:*o 2:maxSurge:*o
apps/v1.RollingUpdateDeployment 1:maxUnavailable:*o 2:maxSurge:*o
apps/v1.RollingUpdateStatefulSetStrategy 1:partition:*i 2:maxUnavailable:*o
apps/v1.StatefulSet 1:metadata:mmeta/v1.ObjectMeta 2:spec:mapps/v1.StatefulSetSpec 3:status:mapps/v1.StatefulSetStatus
apps/v1.StatefulSetCondition 1:type:s 2:status:s 3:lastTransitionTime:t 4:reason:s 5:message:s
apps/v1.StatefulSetOrdinals 1:start:i
apps/v1.StatefulSetPersistentVolumeClaimRetentionPolicy 1:whenDeleted:s 2:whenScaled:s
apps/v1.StatefulSetSpec 1:replicas:*i 2:selector:*mmeta/v1.LabelSelector 3:template:mcore/v1.PodTemplateSpec 4:volumeClaimTemplates:[mcore/v1.PersistentVolumeClaim 5:serviceName:s 6:podManagementPolicy:s 7:updateStrategy:mapps/v1.StatefulSetUpdateStrategy 8:revisionHistoryLimit:*i 9:minReadySeconds:i 10:persistentVolumeClaimRetentionPolicy:*mapps/v1.StatefulSetPersistentVolumeClaimRetentionPolicy 11:ordinals:*mapps/v1.StatefulSetOrdinals
apps/v1.StatefulSetStatus 1:observedGeneration:i 2:replicas:i 3:readyReplicas:i 4:currentReplicas:i 5:updatedReplicas:i 6:currentRevision:s 7:updateRevision:s 9:collisionCount:*i 10:conditions:[mapps/v1.StatefulSetCondition 11:availableReplicas:i
apps/v1.StatefulSetUpdateStrategy 1:type:s 2:rollingUpdate:*mapps/v1.RollingUpdateStatefulSetStrategy
authentication/v1.BoundObjectReference 1:kind:s 2:apiVersion:s 3:name:s 4:uid:s
authentication/v1.SelfSubjectReview 1:metadata:mmeta/v1.ObjectMeta 2:status:mauthentication/v1.SelfSubjectReviewStatus
authentication/v1.SelfSubjectReviewStatus 1:userInfo:mauthentication/v1.UserInfo
authentication/v1.TokenRequest 1:metadata:mmeta/v1.ObjectMeta 2:spec:mauthentication/v1.TokenRequestSpec 3:status:mauthentication/v1.TokenRequestStatus
authentication/v1.TokenRequestSpec 1:audiences:[s 4:expirationSeconds:*i 3:boundObjectRef:*mauthentication/v1.BoundObjectReference 5:attestations:Mx
authentication/v1.TokenRequestStatus 1:token:s 2:expirationTimestamp:t
authentication/v1.TokenReview 1:metadata:mmeta/v1.ObjectMeta 2:spec:mauthentication/v1.TokenReviewSpec 3:status:mauthentication/v1.TokenReviewStatus
authentication/v1.TokenReviewSpec 1:token:s 2:audiences:[s
authentication/v1.TokenReviewStatus 1:authenticated:b 2:user:mauthentication/v1.UserInfo 4:audiences:[s 3:error:s
authentication/v1.UserInfo 1:username:s 2:uid:s 3:groups:[s 4:extra:Mx
authorization/v1.FieldSelectorAttributes 1:rawSelector:s 2:requirements:[mmeta/v1.FieldSelectorRequirement
authorization/v1.LabelSelectorAttributes 1:rawSelector:s 2:requirements:[mmeta/v1.LabelSelectorRequirement
authorization/v1.LocalSubjectAccessReview 1:metadata:mmeta/v1.ObjectMeta 2:spec:mauthorization/v1.SubjectAccessReviewSpec 3:status:mauthorization/v1.SubjectAccessReviewStatus
authorization/v1.NonResourceAttributes 1:path:s 2:verb:s
authorization/v1.NonResourceRule 1:verbs:[s 2:nonResourceURLs:[s
authorization/v1.ResourceAttributes 1:namespace:s 2:verb:s 3:group:s 4:version:s 5:resource:s 6:subresource:s 7:name:s 8:fieldSelector:*mauthorization/v1.FieldSelectorAttributes 9:labelSelector:*mauthorization/v1.LabelSelectorAttributes
authorization/v1.ResourceRule 1:verbs:[s 2:apiGroups:[s 3:resources:[s 4:resourceNames:[s
authorization/v1.SelfSubjectAccessReview 1:metadata:mmeta/v1.ObjectMeta 2:spec:mauthorization/v1.SelfSubjectAccessReviewSpec 3:status:mauthorization/v1.SubjectAccessReviewStatus
authorization/v1.SelfSubjectAccessReviewSpec 1:resourceAttributes:*mauthorization/v1.ResourceAttributes 2:nonResourceAttributes:*mauthorization/v1.NonResourceAttributes
authorization/v1.SelfSubjectRulesReview 1:metadata:mmeta/v1.ObjectMeta 2:spec:mauthorization/v1.SelfSubjectRulesReviewSpec 3:status:mauthorization/v1.SubjectRulesReviewStatus
authorization/v1.SelfSubjectRulesReviewSpec 1:namespace:s
authorization/v1.SubjectAccessReview 1:metadata:mmeta/v1.ObjectMeta 2:spec:mauthorization/v1.SubjectAccessReviewSpec 3:status:mauthorization/v1.SubjectAccessReviewStatus
authorization/v1.SubjectAccessReviewSpec 1:resourceAttributes:*mauthorization/v1.ResourceAttributes 2:nonResourceAttributes:*mauthorization/v1.NonResourceAttributes 3:user:s 4:groups:[s 5:extra:Mx 6:uid:s
authorization/v1.SubjectAccessReviewStatus 1:allowed:b 4:denied:b 2:reason:s 3:evaluationError:s
authorization/v1.SubjectRulesReviewStatus 1:resourceRules:[mauthorization/v1.ResourceRule 2:nonResourceRules:[mauthorization/v1.NonResourceRule 3:incomplete:b 4:evaluationError:s
autoscaling/v1.Scale 1:metadata:mmeta/v1.ObjectMeta 2:spec:mautoscaling/v1.ScaleSpec 3:status:mautoscaling/v1.ScaleStatus
autoscaling/v1.ScaleSpec 1:replicas:i
autoscaling/v1.ScaleStatus 1:replicas:i 2:selector:s
batch/v1.CronJob 1:metadata:mmeta/v1.ObjectMeta 2:spec:mbatch/v1.CronJobSpec 3:status:mbatch/v1.CronJobStatus
batch/v1.CronJobSpec 1:schedule:s 8:timeZone:*s 2:startingDeadlineSeconds:*i 3:concurrencyPolicy:s 4:suspend:*b 5:jobTemplate:mbatch/v1.JobTemplateSpec 6:successfulJobsHistoryLimit:*i 7:failedJobsHistoryLimit:*i
batch/v1.CronJobStatus 1:active:[mcore/v1.ObjectReference 4:lastScheduleTime:*t 5:lastSuccessfulTime:*t
batch/v1.Job 1:metadata:mmeta/v1.ObjectMeta 2:spec:mbatch/v1.JobSpec 3:status:mbatch/v1.JobStatus
batch/v1.JobCondition 1:type:s 2:status:s 3:lastProbeTime:t 4:lastTransitionTime:t 5:reason:s 6:message:s
batch/v1.JobSchedulingConfiguration 
batch/v1.JobSpec 1:parallelism:*i 2:completions:*i 3:activeDeadlineSeconds:*i 11:podFailurePolicy:*mbatch/v1.PodFailurePolicy 16:successPolicy:*mbatch/v1.SuccessPolicy 7:backoffLimit:*i 12:backoffLimitPerIndex:*i 13:maxFailedIndexes:*i 4:selector:*mmeta/v1.LabelSelector 5:manualSelector:*b 6:template:mcore/v1.PodTemplateSpec 8:ttlSecondsAfterFinished:*i 9:completionMode:*s 10:suspend:*b 14:podReplacementPolicy:*s 15:managedBy:*s 17:scheduling:*mbatch/v1.JobSchedulingConfiguration
batch/v1.JobStatus 1:conditions:[mbatch/v1.JobCondition 2:startTime:*t 3:completionTime:*t 4:active:i 5:succeeded:i 6:failed:i 11:terminating:*i 7:completedIndexes:s 10:failedIndexes:*s 8:uncountedTerminatedPods:*mbatch/v1.UncountedTerminatedPods 9:ready:*i
batch/v1.JobTemplateSpec 1:metadata:mmeta/v1.ObjectMeta 2:spec:mbatch/v1.JobSpec
batch/v1.PodFailurePolicy 1:rules:[mbatch/v1.PodFailurePolicyRule
batch/v1.PodFailurePolicyOnExitCodesRequirement 1:containerName:*s 2:operator:s 3:values:[i
batch/v1.PodFailurePolicyOnPodConditionsPattern 1:type:s 2:status:s
batch/v1.PodFailurePolicyRule 1:action:s 2:onExitCodes:*mbatch/v1.PodFailurePolicyOnExitCodesRequirement 3:onPodConditions:[mbatch/v1.PodFailurePolicyOnPodConditionsPattern
batch/v1.SuccessPolicy 1:rules:[mbatch/v1.SuccessPolicyRule
batch/v1.SuccessPolicyRule 1:succeededIndexes:*s 2:succeededCount:*i
batch/v1.UncountedTerminatedPods 1:succeeded:[s 2:failed:[s
coordination/v1.Lease 1:metadata:mmeta/v1.ObjectMeta 2:spec:mcoordination/v1.LeaseSpec
coordination/v1.LeaseSpec 1:holderIdentity:*s 2:leaseDurationSeconds:*i 3:acquireTime:*u 4:renewTime:*u 5:leaseTransitions:*i 6:strategy:*s 7:preferredHolder:*s
core/v1.AWSElasticBlockStoreVolumeSource 1:volumeID:s 2:fsType:s 3:partition:i 4:readOnly:b
core/v1.Affinity 1:nodeAffinity:*mcore/v1.NodeAffinity 2:podAffinity:*mcore/v1.PodAffinity 3:podAntiAffinity:*mcore/v1.PodAntiAffinity
core/v1.AppArmorProfile 1:type:s 2:localhostProfile:*s
core/v1.AttachedVolume 1:name:s 2:devicePath:s
core/v1.AzureDiskVolumeSource 1:diskName:s 2:diskURI:s 3:cachingMode:*s 4:fsType:*s 5:readOnly:*b 6:kind:*s
core/v1.AzureFilePersistentVolumeSource 1:secretName:s 2:shareName:s 3:readOnly:b 4:secretNamespace:*s
core/v1.AzureFileVolumeSource 1:secretName:s 2:shareName:s 3:readOnly:b
core/v1.Binding 1:metadata:mmeta/v1.ObjectMeta 2:target:mcore/v1.ObjectReference
core/v1.CSIPersistentVolumeSource 1:driver:s 2:volumeHandle:s 3:readOnly:b 4:fsType:s 5:volumeAttributes:Ms 6:controllerPublishSecretRef:*mcore/v1.SecretReference 7:nodeStageSecretRef:*mcore/v1.SecretReference 8:nodePublishSecretRef:*mcore/v1.SecretReference 9:controllerExpandSecretRef:*mcore/v1.SecretReference 10:nodeExpandSecretRef:*mcore/v1.SecretReference
core/v1.CSIVolumeSource 1:driver:s 2:readOnly:*b 3:fsType:*s 4:volumeAttributes:Ms 5:nodePublishSecretRef:*mcore/v1.LocalObjectReference
core/v1.Capabilities 1:add:[s 2:drop:[s
core/v1.CephFSPersistentVolumeSource 1:monitors:[s 2:path:s 3:user:s 4:secretFile:s 5:secretRef:*mcore/v1.SecretReference 6:readOnly:b
core/v1.CephFSVolumeSource 1:monitors:[s 2:path:s 3:user:s 4:secretFile:s 5:secretRef:*mcore/v1.LocalObjectReference 6:readOnly:b
core/v1.CinderPersistentVolumeSource 1:volumeID:s 2:fsType:s 3:readOnly:b 4:secretRef:*mcore/v1.SecretReference
core/v1.CinderVolumeSource 1:volumeID:s 2:fsType:s 3:readOnly:b 4:secretRef:*mcore/v1.LocalObjectReference
core/v1.ClientIPConfig 1:timeoutSeconds:*i
core/v1.ClusterTrustBundleProjection 1:name:*s 2:signerName:*s 3:labelSelector:*mmeta/v1.LabelSelector 5:optional:*b 4:path:s 6:user:*i
core/v1.ConfigMap 1:metadata:mmeta/v1.ObjectMeta 4:immutable:*b 2:data:Ms 3:binaryData:My
core/v1.ConfigMapEnvSource 1::~mcore/v1.LocalObjectReference 2:optional:*b
core/v1.ConfigMapKeySelector 1::~mcore/v1.LocalObjectReference 2:key:s 3:optional:*b
core/v1.ConfigMapNodeConfigSource 1:namespace:s 2:name:s 3:uid:s 4:resourceVersion:s 5:kubeletConfigKey:s
core/v1.ConfigMapProjection 1::~mcore/v1.LocalObjectReference 2:items:[mcore/v1.KeyToPath 4:optional:*b
core/v1.ConfigMapVolumeSource 1::~mcore/v1.LocalObjectReference 2:items:[mcore/v1.KeyToPath 3:defaultMode:*i 4:optional:*b 5:defaultUser:*i
core/v1.Container 1:name:s 2:image:s 3:command:[s 4:args:[s 5:workingDir:s 6:ports:[mcore/v1.ContainerPort 19:envFrom:[mcore/v1.EnvFromSource 7:env:[mcore/v1.EnvVar 8:resources:mcore/v1.ResourceRequirements 23:resizePolicy:[mcore/v1.ContainerResizePolicy 24:restartPolicy:*s 25:restartPolicyRules:[mcore/v1.ContainerRestartRule 9:volumeMounts:[mcore/v1.VolumeMount 21:volumeDevices:[mcore/v1.VolumeDevice 10:livenessProbe:*mcore/v1.Probe 11:readinessProbe:*mcore/v1.Probe 22:startupProbe:*mcore/v1.Probe 12:lifecycle:*mcore/v1.Lifecycle 13:terminationMessagePath:s 20:terminationMessagePolicy:s 14:imagePullPolicy:s 15:securityContext:*mcore/v1.SecurityContext 16:stdin:b 17:stdinOnce:b 18:tty:b
core/v1.ContainerExtendedResourceRequest 1:containerName:s 2:resourceName:s 3:requestName:s
core/v1.ContainerImage 1:names:[s 2:sizeBytes:i
core/v1.ContainerPort 1:name:s 2:hostPort:i 3:containerPort:i 4:protocol:s 5:hostIP:s
core/v1.ContainerResizePolicy 1:resourceName:s 2:restartPolicy:s
core/v1.ContainerRestartRule 1:action:s 2:exitCodes:*mcore/v1.ContainerRestartRuleOnExitCodes
core/v1.ContainerRestartRuleOnExitCodes 1:operator:s 2:values:[i
core/v1.ContainerState 1:waiting:*mcore/v1.ContainerStateWaiting 2:running:*mcore/v1.ContainerStateRunning 3:terminated:*mcore/v1.ContainerStateTerminated
core/v1.ContainerStateRunning 1:startedAt:t
core/v1.ContainerStateTerminated 1:exitCode:i 2:signal:i 3:reason:s 4:message:s 5:startedAt:t 6:finishedAt:t 7:containerID:s
core/v1.ContainerStateWaiting 1:reason:s 2:message:s
core/v1.ContainerStatus 1:name:s 2:state:mcore/v1.ContainerState 3:lastState:mcore/v1.ContainerState 4:ready:b 5:restartCount:i 6:image:s 7:imageID:s 8:containerID:s 9:started:*b 10:allocatedResources:Mq 11:resources:*mcore/v1.ResourceRequirements 12:volumeMounts:[mcore/v1.VolumeMountStatus 13:user:*mcore/v1.ContainerUser 14:allocatedResourcesStatus:[mcore/v1.ResourceStatus 15:stopSignal:*s
core/v1.ContainerUser 1:linux:*mcore/v1.LinuxContainerUser
core/v1.DaemonEndpoint 1:Port:i
core/v1.DownwardAPIProjection 1:items:[mcore/v1.DownwardAPIVolumeFile
core/v1.DownwardAPIVolumeFile 1:path:s 2:fieldRef:*mcore/v1.ObjectFieldSelector 3:resourceFieldRef:*mcore/v1.ResourceFieldSelector 4:mode:*i 5:user:*i
core/v1.DownwardAPIVolumeSource 1:items:[mcore/v1.DownwardAPIVolumeFile 2:defaultMode:*i 3:defaultUser:*i
core/v1.EmptyDirVolumeSource 1:medium:s 2:sizeLimit:*q 3:mode:*i
core/v1.EndpointAddress 1:ip:s 3:hostname:s 4:nodeName:*s 2:targetRef:*mcore/v1.ObjectReference
core/v1.EndpointPort 1:name:s 2:port:i 3:protocol:s 4:appProtocol:*s
core/v1.EndpointSubset 1:addresses:[mcore/v1.EndpointAddress 2:notReadyAddresses:[mcore/v1.EndpointAddress 3:ports:[mcore/v1.EndpointPort
core/v1.Endpoints 1:metadata:mmeta/v1.ObjectMeta 2:subsets:[mcore/v1.EndpointSubset
core/v1.EnvFromSource 1:prefix:s 2:configMapRef:*mcore/v1.ConfigMapEnvSource 3:secretRef:*mcore/v1.SecretEnvSource
core/v1.EnvVar 1:name:s 2:value:s 3:valueFrom:*mcore/v1.EnvVarSource
core/v1.EnvVarSource 1:fieldRef:*mcore/v1.ObjectFieldSelector 2:resourceFieldRef:*mcore/v1.ResourceFieldSelector 3:configMapKeyRef:*mcore/v1.ConfigMapKeySelector 4:secretKeyRef:*mcore/v1.SecretKeySelector 5:fileKeyRef:*mcore/v1.FileKeySelector
core/v1.EphemeralContainer 1::~mcore/v1.EphemeralContainerCommon 2:targetContainerName:s
core/v1.EphemeralContainerCommon 1:name:s 2:image:s 3:command:[s 4:args:[s 5:workingDir:s 6:ports:[mcore/v1.ContainerPort 19:envFrom:[mcore/v1.EnvFromSource 7:env:[mcore/v1.EnvVar 8:resources:mcore/v1.ResourceRequirements 23:resizePolicy:[mcore/v1.ContainerResizePolicy 24:restartPolicy:*s 25:restartPolicyRules:[mcore/v1.ContainerRestartRule 9:volumeMounts:[mcore/v1.VolumeMount 21:volumeDevices:[mcore/v1.VolumeDevice 10:livenessProbe:*mcore/v1.Probe 11:readinessProbe:*mcore/v1.Probe 22:startupProbe:*mcore/v1.Probe 12:lifecycle:*mcore/v1.Lifecycle 13:terminationMessagePath:s 20:terminationMessagePolicy:s 14:imagePullPolicy:s 15:securityContext:*mcore/v1.SecurityContext 16:stdin:b 17:stdinOnce:b 18:tty:b
core/v1.EphemeralVolumeSource 1:volumeClaimTemplate:*mcore/v1.PersistentVolumeClaimTemplate
core/v1.Event 1:metadata:mmeta/v1.ObjectMeta 2:involvedObject:mcore/v1.ObjectReference 3:reason:s 4:message:s 5:source:mcore/v1.EventSource 6:firstTimestamp:t 7:lastTimestamp:t 8:count:i 9:type:s 10:eventTime:u 11:series:*mcore/v1.EventSeries 12:action:s 13:related:*mcore/v1.ObjectReference 14:reportingComponent:s 15:reportingInstance:s
core/v1.EventSeries 1:count:i 2:lastObservedTime:u
core/v1.EventSource 1:component:s 2:host:s
core/v1.EvictionResponder 1:name:s 2:priority:*i
core/v1.ExecAction 1:command:[s
core/v1.FCVolumeSource 1:targetWWNs:[s 2:lun:*i 3:fsType:s 4:readOnly:b 5:wwids:[s
core/v1.FileKeySelector 1:volumeName:s 2:path:s 3:key:s 4:optional:*b
core/v1.FlexPersistentVolumeSource 1:driver:s 2:fsType:s 3:secretRef:*mcore/v1.SecretReference 4:readOnly:b 5:options:Ms
core/v1.FlexVolumeSource 1:driver:s 2:fsType:s 3:secretRef:*mcore/v1.LocalObjectReference 4:readOnly:b 5:options:Ms
core/v1.FlockerVolumeSource 1:datasetName:s 2:datasetUUID:s
core/v1.GCEPersistentDiskVolumeSource 1:pdName:s 2:fsType:s 3:partition:i 4:readOnly:b
core/v1.GRPCAction 1:port:i 2:service:*s 3:mode:*s
core/v1.GitRepoVolumeSource 1:repository:s 2:revision:s 3:directory:s
core/v1.GlusterfsPersistentVolumeSource 1:endpoints:s 2:path:s 3:readOnly:b 4:endpointsNamespace:*s
core/v1.GlusterfsVolumeSource 1:endpoints:s 2:path:s 3:readOnly:b
core/v1.HTTPGetAction 1:path:s 2:port:o 3:host:s 4:scheme:s 5:httpHeaders:[mcore/v1.HTTPHeader 6:protocol:*s
core/v1.HTTPHeader 1:name:s 2:value:s
core/v1.HostAlias 1:ip:s 2:hostnames:[s
core/v1.HostIP 1:ip:s
core/v1.HostPathVolumeSource 1:path:s 2:type:*s
core/v1.ISCSIPersistentVolumeSource 1:targetPortal:s 2:iqn:s 3:lun:i 4:iscsiInterface:s 5:fsType:s 6:readOnly:b 7:portals:[s 8:chapAuthDiscovery:b 11:chapAuthSession:b 10:secretRef:*mcore/v1.SecretReference 12:initiatorName:*s
core/v1.ISCSIVolumeSource 1:targetPortal:s 2:iqn:s 3:lun:i 4:iscsiInterface:s 5:fsType:s 6:readOnly:b 7:portals:[s 8:chapAuthDiscovery:b 11:chapAuthSession:b 10:secretRef:*mcore/v1.LocalObjectReference 12:initiatorName:*s
core/v1.ImageVolumeSource 1:reference:s 2:pullPolicy:s
core/v1.ImageVolumeStatus 1:imageRef:s
core/v1.KeyToPath 1:key:s 2:path:s 3:mode:*i 4:user:*i
core/v1.Lifecycle 1:postStart:*mcore/v1.LifecycleHandler 2:preStop:*mcore/v1.LifecycleHandler 3:stopSignal:*s
core/v1.LifecycleHandler 1:exec:*mcore/v1.ExecAction 2:httpGet:*mcore/v1.HTTPGetAction 3:tcpSocket:*mcore/v1.TCPSocketAction 4:sleep:*mcore/v1.SleepAction
core/v1.LimitRange 1:metadata:mmeta/v1.ObjectMeta 2:spec:mcore/v1.LimitRangeSpec
core/v1.LimitRangeItem 1:type:s 2:max:Mq 3:min:Mq 4:default:Mq 5:defaultRequest:Mq 6:maxLimitRequestRatio:Mq
core/v1.LimitRangeSpec 1:limits:[mcore/v1.LimitRangeItem
core/v1.LinuxContainerUser 1:uid:i 2:gid:i 3:supplementalGroups:[i
core/v1.LoadBalancerIngress 1:ip:s 2:hostname:s 3:ipMode:*s 4:ports:[mcore/v1.PortStatus
core/v1.LoadBalancerStatus 1:ingress:[mcore/v1.LoadBalancerIngress
core/v1.LocalObjectReference 1:name:s
core/v1.LocalVolumeSource 1:path:s 2:fsType:*s
core/v1.ModifyVolumeStatus 1:targetVolumeAttributesClassName:s 2:status:s
core/v1.NFSVolumeSource 1:server:s 2:path:s 3:readOnly:b
core/v1.Namespace 1:metadata:mmeta/v1.ObjectMeta 2:spec:mcore/v1.NamespaceSpec 3:status:mcore/v1.NamespaceStatus
core/v1.NamespaceCondition 1:type:s 2:status:s 4:lastTransitionTime:t 5:reason:s 6:message:s
core/v1.NamespaceSpec 1:finalizers:[s
core/v1.NamespaceStatus 1:phase:s 2:conditions:[mcore/v1.NamespaceCondition
core/v1.Node 1:metadata:mmeta/v1.ObjectMeta 2:spec:mcore/v1.NodeSpec 3:status:mcore/v1.NodeStatus
core/v1.NodeAddress 1:type:s 2:address:s
core/v1.NodeAffinity 1:requiredDuringSchedulingIgnoredDuringExecution:*mcore/v1.NodeSelector 2:preferredDuringSchedulingIgnoredDuringExecution:[mcore/v1.PreferredSchedulingTerm
core/v1.NodeAllocatableMappedResources 1:name:s 2:quantity:*q
core/v1.NodeAllocatableOverheadResources 1:name:s 2:perPod:*q 3:perContainer:*q
core/v1.NodeAllocatableResourceClaimStatus 1:resourceClaimName:s 2:containers:[s 4:mapping:[mcore/v1.NodeAllocatableMappedResources 5:overhead:[mcore/v1.NodeAllocatableOverheadResources
core/v1.NodeCondition 1:type:s 2:status:s 3:lastHeartbeatTime:t 4:lastTransitionTime:t 5:reason:s 6:message:s
core/v1.NodeConfigSource 2:configMap:*mcore/v1.ConfigMapNodeConfigSource
core/v1.NodeConfigStatus 1:assigned:*mcore/v1.NodeConfigSource 2:active:*mcore/v1.NodeConfigSource 3:lastKnownGood:*mcore/v1.NodeConfigSource 4:error:s
core/v1.NodeDaemonEndpoints 1:kubeletEndpoint:mcore/v1.DaemonEndpoint
core/v1.NodeFeatures 1:supplementalGroupsPolicy:*b
core/v1.NodePodPreemptionPolicy 1:disableResizePreemption:[s
core/v1.NodeRuntimeHandler 1:name:s 2:features:*mcore/v1.NodeRuntimeHandlerFeatures
core/v1.NodeRuntimeHandlerFeatures 1:recursiveReadOnlyMounts:*b 2:userNamespaces:*b
core/v1.NodeSelector 1:nodeSelectorTerms:[mcore/v1.NodeSelectorTerm
core/v1.NodeSelectorRequirement 1:key:s 2:operator:s 3:values:[s
core/v1.NodeSelectorTerm 1:matchExpressions:[mcore/v1.NodeSelectorRequirement 2:matchFields:[mcore/v1.NodeSelectorRequirement
core/v1.NodeSpec 1:podCIDR:s 7:podCIDRs:[s 3:providerID:s 4:unschedulable:b 5:taints:[mcore/v1.Taint 6:configSource:*mcore/v1.NodeConfigSource 2:externalID:s 8:podPreemptionPolicy:*mcore/v1.NodePodPreemptionPolicy
core/v1.NodeStatus 1:capacity:Mq 2:allocatable:Mq 3:phase:s 4:conditions:[mcore/v1.NodeCondition 5:addresses:[mcore/v1.NodeAddress 6:daemonEndpoints:mcore/v1.NodeDaemonEndpoints 7:nodeInfo:mcore/v1.NodeSystemInfo 8:images:[mcore/v1.ContainerImage 9:volumesInUse:[s 10:volumesAttached:[mcore/v1.AttachedVolume 11:config:*mcore/v1.NodeConfigStatus 12:runtimeHandlers:[mcore/v1.NodeRuntimeHandler 13:features:*mcore/v1.NodeFeatures 14:declaredFeatures:[s
core/v1.NodeSwapStatus 1:capacity:*i
core/v1.NodeSystemInfo 1:machineID:s 2:systemUUID:s 3:bootID:s 4:kernelVersion:s 5:osImage:s 6:containerRuntimeVersion:s 7:kubeletVersion:s 8:kubeProxyVersion:s 9:operatingSystem:s 10:architecture:s 11:swap:*mcore/v1.NodeSwapStatus 12:runningInUserNamespace:*b
core/v1.ObjectFieldSelector 1:apiVersion:s 2:fieldPath:s
core/v1.ObjectReference 1:kind:s 2:namespace:s 3:name:s 4:uid:s 5:apiVersion:s 6:resourceVersion:s 7:fieldPath:s
core/v1.PersistentVolume 1:metadata:mmeta/v1.ObjectMeta 2:spec:mcore/v1.PersistentVolumeSpec 3:status:mcore/v1.PersistentVolumeStatus
core/v1.PersistentVolumeClaim 1:metadata:mmeta/v1.ObjectMeta 2:spec:mcore/v1.PersistentVolumeClaimSpec 3:status:mcore/v1.PersistentVolumeClaimStatus
core/v1.PersistentVolumeClaimCondition 1:type:s 2:status:s 3:lastProbeTime:t 4:lastTransitionTime:t 5:reason:s 6:message:s
core/v1.PersistentVolumeClaimSpec 1:accessModes:[s 4:selector:*mmeta/v1.LabelSelector 2:resources:mcore/v1.VolumeResourceRequirements 3:volumeName:s 5:storageClassName:*s 6:volumeMode:*s 7:dataSource:*mcore/v1.TypedLocalObjectReference 8:dataSourceRef:*mcore/v1.TypedObjectReference 9:volumeAttributesClassName:*s
core/v1.PersistentVolumeClaimStatus 1:phase:s 2:accessModes:[s 3:capacity:Mq 4:conditions:[mcore/v1.PersistentVolumeClaimCondition 5:allocatedResources:Mq 7:allocatedResourceStatuses:Ms 8:currentVolumeAttributesClassName:*s 9:modifyVolumeStatus:*mcore/v1.ModifyVolumeStatus 10:healthStatus:*mcore/v1.VolumeHealthStatus
core/v1.PersistentVolumeClaimTemplate 1:metadata:mmeta/v1.ObjectMeta 2:spec:mcore/v1.PersistentVolumeClaimSpec
core/v1.PersistentVolumeClaimVolumeSource 1:claimName:s 2:readOnly:b
core/v1.PersistentVolumeSource 1:gcePersistentDisk:*mcore/v1.GCEPersistentDiskVolumeSource 2:awsElasticBlockStore:*mcore/v1.AWSElasticBlockStoreVolumeSource 3:hostPath:*mcore/v1.HostPathVolumeSource 4:glusterfs:*mcore/v1.GlusterfsPersistentVolumeSource 5:nfs:*mcore/v1.NFSVolumeSource 6:rbd:*mcore/v1.RBDPersistentVolumeSource 7:iscsi:*mcore/v1.ISCSIPersistentVolumeSource 8:cinder:*mcore/v1.CinderPersistentVolumeSource 9:cephfs:*mcore/v1.CephFSPersistentVolumeSource 10:fc:*mcore/v1.FCVolumeSource 11:flocker:*mcore/v1.FlockerVolumeSource 12:flexVolume:*mcore/v1.FlexPersistentVolumeSource 13:azureFile:*mcore/v1.AzureFilePersistentVolumeSource 14:vsphereVolume:*mcore/v1.VsphereVirtualDiskVolumeSource 15:quobyte:*mcore/v1.QuobyteVolumeSource 16:azureDisk:*mcore/v1.AzureDiskVolumeSource 17:photonPersistentDisk:*mcore/v1.PhotonPersistentDiskVolumeSource 18:portworxVolume:*mcore/v1.PortworxVolumeSource 19:scaleIO:*mcore/v1.ScaleIOPersistentVolumeSource 20:local:*mcore/v1.LocalVolumeSource 21:storageos:*mcore/v1.StorageOSPersistentVolumeSource 22:csi:*mcore/v1.CSIPersistentVolumeSource
core/v1.PersistentVolumeSpec 1:capacity:Mq 2::~mcore/v1.PersistentVolumeSource 3:accessModes:[s 4:claimRef:*mcore/v1.ObjectReference 5:persistentVolumeReclaimPolicy:s 6:storageClassName:s 7:mountOptions:[s 8:volumeMode:*s 9:nodeAffinity:*mcore/v1.VolumeNodeAffinity 10:volumeAttributesClassName:*s
core/v1.PersistentVolumeStatus 1:phase:s 2:message:s 3:reason:s 4:lastPhaseTransitionTime:*t
core/v1.PhotonPersistentDiskVolumeSource 1:pdID:s 2:fsType:s
core/v1.Pod 1:metadata:mmeta/v1.ObjectMeta 2:spec:mcore/v1.PodSpec 3:status:mcore/v1.PodStatus
core/v1.PodAffinity 1:requiredDuringSchedulingIgnoredDuringExecution:[mcore/v1.PodAffinityTerm 2:preferredDuringSchedulingIgnoredDuringExecution:[mcore/v1.WeightedPodAffinityTerm
core/v1.PodAffinityTerm 1:labelSelector:*mmeta/v1.LabelSelector 2:namespaces:[s 3:topologyKey:s 4:namespaceSelector:*mmeta/v1.LabelSelector 5:matchLabelKeys:[s 6:mismatchLabelKeys:[s
core/v1.PodAntiAffinity 1:requiredDuringSchedulingIgnoredDuringExecution:[mcore/v1.PodAffinityTerm 2:preferredDuringSchedulingIgnoredDuringExecution:[mcore/v1.WeightedPodAffinityTerm
core/v1.PodCertificateProjection 1:signerName:s 2:keyType:s 3:maxExpirationSeconds:*i 4:credentialBundlePath:s 5:keyPath:s 6:certificateChainPath:s 7:userAnnotations:Ms 8:user:*i
core/v1.PodCondition 1:type:s 7:observedGeneration:i 2:status:s 3:lastProbeTime:t 4:lastTransitionTime:t 5:reason:s 6:message:s
core/v1.PodDNSConfig 1:nameservers:[s 2:searches:[s 3:options:[mcore/v1.PodDNSConfigOption
core/v1.PodDNSConfigOption 1:name:s 2:value:*s
core/v1.PodExtendedResourceClaimStatus 1:requestMappings:[mcore/v1.ContainerExtendedResourceRequest 2:resourceClaimName:s
core/v1.PodIP 1:ip:s
core/v1.PodOS 1:name:s
core/v1.PodReadinessGate 1:conditionType:s
core/v1.PodResourceClaim 1:name:s 3:resourceClaimName:*s 4:resourceClaimTemplateName:*s
core/v1.PodResourceClaimStatus 1:name:s 2:resourceClaimName:*s
core/v1.PodSchedulingGate 1:name:s
core/v1.PodSchedulingGroup 1:podGroupName:*s
core/v1.PodSecurityContext 1:seLinuxOptions:*mcore/v1.SELinuxOptions 8:windowsOptions:*mcore/v1.WindowsSecurityContextOptions 2:runAsUser:*i 6:runAsGroup:*i 3:runAsNonRoot:*b 4:supplementalGroups:[i 12:supplementalGroupsPolicy:*s 5:fsGroup:*i 7:sysctls:[mcore/v1.Sysctl 9:fsGroupChangePolicy:*s 10:seccompProfile:*mcore/v1.SeccompProfile 11:appArmorProfile:*mcore/v1.AppArmorProfile 13:seLinuxChangePolicy:*s
core/v1.PodSpec 1:volumes:[mcore/v1.Volume 20:initContainers:[mcore/v1.Container 2:containers:[mcore/v1.Container 34:ephemeralContainers:[mcore/v1.EphemeralContainer 3:restartPolicy:s 4:terminationGracePeriodSeconds:*i 5:activeDeadlineSeconds:*i 6:dnsPolicy:s 7:nodeSelector:Ms 8:serviceAccountName:s 9:serviceAccount:s 21:automountServiceAccountToken:*b 10:nodeName:s 11:hostNetwork:b 12:hostPID:b 13:hostIPC:b 27:shareProcessNamespace:*b 14:securityContext:*mcore/v1.PodSecurityContext 15:imagePullSecrets:[mcore/v1.LocalObjectReference 16:hostname:s 17:subdomain:s 18:affinity:*mcore/v1.Affinity 19:schedulerName:s 22:tolerations:[mcore/v1.Toleration 23:hostAliases:[mcore/v1.HostAlias 24:priorityClassName:s 25:priority:*i 26:dnsConfig:*mcore/v1.PodDNSConfig 28:readinessGates:[mcore/v1.PodReadinessGate 29:runtimeClassName:*s 30:enableServiceLinks:*b 31:preemptionPolicy:*s 32:overhead:Mq 33:topologySpreadConstraints:[mcore/v1.TopologySpreadConstraint 35:setHostnameAsFQDN:*b 36:os:*mcore/v1.PodOS 37:hostUsers:*b 38:schedulingGates:[mcore/v1.PodSchedulingGate 39:resourceClaims:[mcore/v1.PodResourceClaim 40:resources:*mcore/v1.ResourceRequirements 41:hostnameOverride:*s 43:schedulingGroup:*mcore/v1.PodSchedulingGroup 44:evictionResponders:[mcore/v1.EvictionResponder
core/v1.PodStatus 17:observedGeneration:i 1:phase:s 2:conditions:[mcore/v1.PodCondition 3:message:s 4:reason:s 11:nominatedNodeName:s 5:hostIP:s 16:hostIPs:[mcore/v1.HostIP 6:podIP:s 12:podIPs:[mcore/v1.PodIP 7:startTime:*t 10:initContainerStatuses:[mcore/v1.ContainerStatus 8:containerStatuses:[mcore/v1.ContainerStatus 9:qosClass:s 13:ephemeralContainerStatuses:[mcore/v1.ContainerStatus 14:resize:s 15:resourceClaimStatuses:[mcore/v1.PodResourceClaimStatus 18:extendedResourceClaimStatus:*mcore/v1.PodExtendedResourceClaimStatus 19:allocatedResources:Mq 20:resources:*mcore/v1.ResourceRequirements 21:nodeAllocatableResourceClaimStatuses:[mcore/v1.NodeAllocatableResourceClaimStatus 22:volumeHealth:[mcore/v1.PodVolumeHealth
core/v1.PodTemplate 1:metadata:mmeta/v1.ObjectMeta 2:template:mcore/v1.PodTemplateSpec
core/v1.PodTemplateSpec 1:metadata:mmeta/v1.ObjectMeta 2:spec:mcore/v1.PodSpec
core/v1.PodVolumeHealth 1:name:s 2:healthConditions:[mcore/v1.VolumeHealthCondition 3:lastTransitionTime:t
core/v1.PortStatus 1:port:i 2:protocol:s 3:error:*s
core/v1.PortworxVolumeSource 1:volumeID:s 2:fsType:s 3:readOnly:b
core/v1.PreferredSchedulingTerm 1:weight:i 2:preference:mcore/v1.NodeSelectorTerm
core/v1.Probe 1::~mcore/v1.ProbeHandler 2:initialDelaySeconds:i 3:timeoutSeconds:i 4:periodSeconds:i 5:successThreshold:i 6:failureThreshold:i 7:terminationGracePeriodSeconds:*i
core/v1.ProbeHandler 1:exec:*mcore/v1.ExecAction 2:httpGet:*mcore/v1.HTTPGetAction 3:tcpSocket:*mcore/v1.TCPSocketAction 4:grpc:*mcore/v1.GRPCAction
core/v1.ProjectedVolumeSource 1:sources:[mcore/v1.VolumeProjection 2:defaultMode:*i 3:defaultUser:*i
core/v1.QuobyteVolumeSource 1:registry:s 2:volume:s 3:readOnly:b 4:user:s 5:group:s 6:tenant:s
core/v1.RBDPersistentVolumeSource 1:monitors:[s 2:image:s 3:fsType:s 4:pool:s 5:user:s 6:keyring:s 7:secretRef:*mcore/v1.SecretReference 8:readOnly:b
core/v1.RBDVolumeSource 1:monitors:[s 2:image:s 3:fsType:s 4:pool:s 5:user:s 6:keyring:s 7:secretRef:*mcore/v1.LocalObjectReference 8:readOnly:b
core/v1.ReplicationController 1:metadata:mmeta/v1.ObjectMeta 2:spec:mcore/v1.ReplicationControllerSpec 3:status:mcore/v1.ReplicationControllerStatus
core/v1.ReplicationControllerCondition 1:type:s 2:status:s 3:lastTransitionTime:t 4:reason:s 5:message:s
core/v1.ReplicationControllerSpec 1:replicas:*i 4:minReadySeconds:i 2:selector:Ms 3:template:*mcore/v1.PodTemplateSpec
core/v1.ReplicationControllerStatus 1:replicas:i 2:fullyLabeledReplicas:i 4:readyReplicas:i 5:availableReplicas:i 3:observedGeneration:i 6:conditions:[mcore/v1.ReplicationControllerCondition
core/v1.ResourceClaim 1:name:s 2:request:s
core/v1.ResourceFieldSelector 1:containerName:s 2:resource:s 3:divisor:q
core/v1.ResourceHealth 1:resourceID:s 2:health:s 6:message:*s
core/v1.ResourceQuota 1:metadata:mmeta/v1.ObjectMeta 2:spec:mcore/v1.ResourceQuotaSpec 3:status:mcore/v1.ResourceQuotaStatus
core/v1.ResourceQuotaSpec 1:hard:Mq 2:scopes:[s 3:scopeSelector:*mcore/v1.ScopeSelector
core/v1.ResourceQuotaStatus 1:hard:Mq 2:used:Mq
core/v1.ResourceRequirements 1:limits:Mq 2:requests:Mq 3:claims:[mcore/v1.ResourceClaim
core/v1.ResourceStatus 1:name:s 2:resources:[mcore/v1.ResourceHealth
core/v1.SELinuxOptions 1:user:s 2:role:s 3:type:s 4:level:s
core/v1.ScaleIOPersistentVolumeSource 1:gateway:s 2:system:s 3:secretRef:*mcore/v1.SecretReference 4:sslEnabled:b 5:protectionDomain:s 6:storagePool:s 7:storageMode:s 8:volumeName:s 9:fsType:s 10:readOnly:b
core/v1.ScaleIOVolumeSource 1:gateway:s 2:system:s 3:secretRef:*mcore/v1.LocalObjectReference 4:sslEnabled:b 5:protectionDomain:s 6:storagePool:s 7:storageMode:s 8:volumeName:s 9:fsType:s 10:readOnly:b
core/v1.ScopeSelector 1:matchExpressions:[mcore/v1.ScopedResourceSelectorRequirement
core/v1.ScopedResourceSelectorRequirement 1:scopeName:s 2:operator:s 3:values:[s
core/v1.SeccompProfile 1:type:s 2:localhostProfile:*s
core/v1.Secret 1:metadata:mmeta/v1.ObjectMeta 5:immutable:*b 2:data:My 4:stringData:Ms 3:type:s
core/v1.SecretEnvSource 1::~mcore/v1.LocalObjectReference 2:optional:*b
core/v1.SecretKeySelector 1::~mcore/v1.LocalObjectReference 2:key:s 3:optional:*b
core/v1.SecretProjection 1::~mcore/v1.LocalObjectReference 2:items:[mcore/v1.KeyToPath 4:optional:*b
core/v1.SecretReference 1:name:s 2:namespace:s
core/v1.SecretVolumeSource 1:secretName:s 2:items:[mcore/v1.KeyToPath 3:defaultMode:*i 4:optional:*b 5:defaultUser:*i
core/v1.SecurityContext 1:capabilities:*mcore/v1.Capabilities 2:privileged:*b 3:seLinuxOptions:*mcore/v1.SELinuxOptions 10:windowsOptions:*mcore/v1.WindowsSecurityContextOptions 4:runAsUser:*i 8:runAsGroup:*i 5:runAsNonRoot:*b 6:readOnlyRootFilesystem:*b 7:allowPrivilegeEscalation:*b 9:procMount:*s 11:seccompProfile:*mcore/v1.SeccompProfile 12:appArmorProfile:*mcore/v1.AppArmorProfile
core/v1.Service 1:metadata:mmeta/v1.ObjectMeta 2:spec:mcore/v1.ServiceSpec 3:status:mcore/v1.ServiceStatus
core/v1.ServiceAccount 1:metadata:mmeta/v1.ObjectMeta 2:secrets:[mcore/v1.ObjectReference 3:imagePullSecrets:[mcore/v1.LocalObjectReference 4:automountServiceAccountToken:*b
core/v1.ServiceAccountTokenProjection 1:audience:s 2:expirationSeconds:*i 3:path:s 4:user:*i
core/v1.ServicePort 1:name:s 2:protocol:s 6:appProtocol:*s 3:port:i 4:targetPort:o 5:nodePort:i
core/v1.ServiceSpec 1:ports:[mcore/v1.ServicePort 2:selector:Ms 3:clusterIP:s 18:clusterIPs:[s 4:type:s 5:externalIPs:[s 7:sessionAffinity:s 8:loadBalancerIP:s 9:loadBalancerSourceRanges:[s 10:externalName:s 11:externalTrafficPolicy:s 12:healthCheckNodePort:i 13:publishNotReadyAddresses:b 14:sessionAffinityConfig:*mcore/v1.SessionAffinityConfig 19:ipFamilies:[s 17:ipFamilyPolicy:*s 20:allocateLoadBalancerNodePorts:*b 21:loadBalancerClass:*s 22:internalTrafficPolicy:*s 23:trafficDistribution:*s
core/v1.ServiceStatus 1:loadBalancer:mcore/v1.LoadBalancerStatus 2:conditions:[mmeta/v1.Condition
core/v1.SessionAffinityConfig 1:clientIP:*mcore/v1.ClientIPConfig
core/v1.SleepAction 1:seconds:i
core/v1.StorageOSPersistentVolumeSource 1:volumeName:s 2:volumeNamespace:s 3:fsType:s 4:readOnly:b 5:secretRef:*mcore/v1.ObjectReference
core/v1.StorageOSVolumeSource 1:volumeName:s 2:volumeNamespace:s 3:fsType:s 4:readOnly:b 5:secretRef:*mcore/v1.LocalObjectReference
core/v1.Sysctl 1:name:s 2:value:s
core/v1.TCPSocketAction 1:port:o 2:host:s
core/v1.Taint 1:key:s 2:value:s 3:effect:s 4:timeAdded:*t
core/v1.Toleration 1:key:s 2:operator:s 3:value:s 4:effect:s 5:tolerationSeconds:*i
core/v1.TopologySelectorLabelRequirement 1:key:s 2:values:[s
core/v1.TopologySelectorTerm 1:matchLabelExpressions:[mcore/v1.TopologySelectorLabelRequirement
core/v1.TopologySpreadConstraint 1:maxSkew:i 2:topologyKey:s 3:whenUnsatisfiable:s 4:labelSelector:*mmeta/v1.LabelSelector 5:minDomains:*i 6:nodeAffinityPolicy:*s 7:nodeTaintsPolicy:*s 8:matchLabelKeys:[s
core/v1.TypedLocalObjectReference 1:apiGroup:*s 2:kind:s 3:name:s
core/v1.TypedObjectReference 1:apiGroup:*s 2:kind:s 3:name:s 4:namespace:*s
core/v1.Volume 1:name:s 2::~mcore/v1.VolumeSource
core/v1.VolumeDevice 1:name:s 2:devicePath:s
core/v1.VolumeHealthCondition 1:status:s 2:reason:s 3:message:s
core/v1.VolumeHealthStatus 1:healthConditions:[mcore/v1.VolumeHealthCondition 2:lastTransitionTime:t
core/v1.VolumeMount 1:name:s 2:readOnly:b 7:recursiveReadOnly:*s 3:mountPath:s 4:subPath:s 5:mountPropagation:*s 6:subPathExpr:s 8:bindMountOptions:[s
core/v1.VolumeMountStatus 1:name:s 2:mountPath:s 3:readOnly:b 4:recursiveReadOnly:*s 5:volumeStatus:*mcore/v1.VolumeStatus
core/v1.VolumeNodeAffinity 1:required:*mcore/v1.NodeSelector
core/v1.VolumeProjection 1:secret:*mcore/v1.SecretProjection 2:downwardAPI:*mcore/v1.DownwardAPIProjection 3:configMap:*mcore/v1.ConfigMapProjection 4:serviceAccountToken:*mcore/v1.ServiceAccountTokenProjection 5:clusterTrustBundle:*mcore/v1.ClusterTrustBundleProjection 6:podCertificate:*mcore/v1.PodCertificateProjection
core/v1.VolumeResourceRequirements 1:limits:Mq 2:requests:Mq
core/v1.VolumeSource 1:hostPath:*mcore/v1.HostPathVolumeSource 2:emptyDir:*mcore/v1.EmptyDirVolumeSource 3:gcePersistentDisk:*mcore/v1.GCEPersistentDiskVolumeSource 4:awsElasticBlockStore:*mcore/v1.AWSElasticBlockStoreVolumeSource 5:gitRepo:*mcore/v1.GitRepoVolumeSource 6:secret:*mcore/v1.SecretVolumeSource 7:nfs:*mcore/v1.NFSVolumeSource 8:iscsi:*mcore/v1.ISCSIVolumeSource 9:glusterfs:*mcore/v1.GlusterfsVolumeSource 10:persistentVolumeClaim:*mcore/v1.PersistentVolumeClaimVolumeSource 11:rbd:*mcore/v1.RBDVolumeSource 12:flexVolume:*mcore/v1.FlexVolumeSource 13:cinder:*mcore/v1.CinderVolumeSource 14:cephfs:*mcore/v1.CephFSVolumeSource 15:flocker:*mcore/v1.FlockerVolumeSource 16:downwardAPI:*mcore/v1.DownwardAPIVolumeSource 17:fc:*mcore/v1.FCVolumeSource 18:azureFile:*mcore/v1.AzureFileVolumeSource 19:configMap:*mcore/v1.ConfigMapVolumeSource 20:vsphereVolume:*mcore/v1.VsphereVirtualDiskVolumeSource 21:quobyte:*mcore/v1.QuobyteVolumeSource 22:azureDisk:*mcore/v1.AzureDiskVolumeSource 23:photonPersistentDisk:*mcore/v1.PhotonPersistentDiskVolumeSource 26:projected:*mcore/v1.ProjectedVolumeSource 24:portworxVolume:*mcore/v1.PortworxVolumeSource 25:scaleIO:*mcore/v1.ScaleIOVolumeSource 27:storageos:*mcore/v1.StorageOSVolumeSource 28:csi:*mcore/v1.CSIVolumeSource 29:ephemeral:*mcore/v1.EphemeralVolumeSource 30:image:*mcore/v1.ImageVolumeSource
core/v1.VolumeStatus 1:image:*mcore/v1.ImageVolumeStatus
core/v1.VsphereVirtualDiskVolumeSource 1:volumePath:s 2:fsType:s 3:storagePolicyName:s 4:storagePolicyID:s
core/v1.WeightedPodAffinityTerm 1:weight:i 2:podAffinityTerm:mcore/v1.PodAffinityTerm
core/v1.WindowsSecurityContextOptions 1:gmsaCredentialSpecName:*s 2:gmsaCredentialSpec:*s 3:runAsUserName:*s 4:hostProcess:*b
discovery/v1.Endpoint 1:addresses:[s 2:conditions:mdiscovery/v1.EndpointConditions 3:hostname:*s 4:targetRef:*mcore/v1.ObjectReference 5:deprecatedTopology:Ms 6:nodeName:*s 7:zone:*s 8:hints:*mdiscovery/v1.EndpointHints
discovery/v1.EndpointConditions 1:ready:*b 2:serving:*b 3:terminating:*b
discovery/v1.EndpointHints 1:forZones:[mdiscovery/v1.ForZone 2:forNodes:[mdiscovery/v1.ForNode
discovery/v1.EndpointPort 1:name:*s 2:protocol:*s 3:port:*i 4:appProtocol:*s
discovery/v1.EndpointSlice 1:metadata:mmeta/v1.ObjectMeta 4:addressType:s 2:endpoints:[mdiscovery/v1.Endpoint 3:ports:[mdiscovery/v1.EndpointPort
discovery/v1.ForNode 1:name:s
discovery/v1.ForZone 1:name:s
events/v1.Event 1:metadata:mmeta/v1.ObjectMeta 2:eventTime:u 3:series:*mevents/v1.EventSeries 4:reportingController:s 5:reportingInstance:s 6:action:s 7:reason:s 8:regarding:mcore/v1.ObjectReference 9:related:*mcore/v1.ObjectReference 10:note:s 11:type:s 12:deprecatedSource:mcore/v1.EventSource 13:deprecatedFirstTimestamp:t 14:deprecatedLastTimestamp:t 15:deprecatedCount:i
events/v1.EventSeries 1:count:i 2:lastObservedTime:u
meta/v1.Condition 1:type:s 2:status:s 3:observedGeneration:i 4:lastTransitionTime:t 5:reason:s 6:message:s
meta/v1.DeleteOptions 1:gracePeriodSeconds:*i 2:preconditions:*mmeta/v1.Preconditions 3:orphanDependents:*b 4:propagationPolicy:*s 5:dryRun:[s 6:ignoreStoreReadErrorWithClusterBreakingPotential:*b
meta/v1.FieldSelectorRequirement 1:key:s 2:operator:s 3:values:[s
meta/v1.LabelSelector 1:matchLabels:Ms 2:matchExpressions:[mmeta/v1.LabelSelectorRequirement
meta/v1.LabelSelectorRequirement 1:key:s 2:operator:s 3:values:[s
meta/v1.ManagedFieldsEntry 1:manager:s 2:operation:s 3:apiVersion:s 4:time:*t 6:fieldsType:s 7:fieldsV1:*r 8:subresource:s
meta/v1.ObjectMeta 1:name:s 2:generateName:s 3:namespace:s 4:selfLink:s 5:uid:s 6:resourceVersion:s 7:generation:i 8:creationTimestamp:t 9:deletionTimestamp:*t 10:deletionGracePeriodSeconds:*i 11:labels:Ms 12:annotations:Ms 13:ownerReferences:[mmeta/v1.OwnerReference 14:finalizers:[s 17:managedFields:[mmeta/v1.ManagedFieldsEntry
meta/v1.OwnerReference 5:apiVersion:s 1:kind:s 3:name:s 4:uid:s 6:controller:*b 7:blockOwnerDeletion:*b
meta/v1.Preconditions 1:uid:*s 2:resourceVersion:*s
networking/v1.HTTPIngressPath 1:path:s 3:pathType:*s 2:backend:mnetworking/v1.IngressBackend
networking/v1.HTTPIngressRuleValue 1:paths:[mnetworking/v1.HTTPIngressPath
networking/v1.IPBlock 1:cidr:s 2:except:[s
networking/v1.Ingress 1:metadata:mmeta/v1.ObjectMeta 2:spec:mnetworking/v1.IngressSpec 3:status:mnetworking/v1.IngressStatus
networking/v1.IngressBackend 4:service:*mnetworking/v1.IngressServiceBackend 3:resource:*mcore/v1.TypedLocalObjectReference
networking/v1.IngressClass 1:metadata:mmeta/v1.ObjectMeta 2:spec:mnetworking/v1.IngressClassSpec
networking/v1.IngressClassParametersReference 1:apiGroup:*s 2:kind:s 3:name:s 4:scope:*s 5:namespace:*s
networking/v1.IngressClassSpec 1:controller:s 2:parameters:*mnetworking/v1.IngressClassParametersReference
networking/v1.IngressLoadBalancerIngress 1:ip:s 2:hostname:s 4:ports:[mnetworking/v1.IngressPortStatus
networking/v1.IngressLoadBalancerStatus 1:ingress:[mnetworking/v1.IngressLoadBalancerIngress
networking/v1.IngressPortStatus 1:port:i 2:protocol:s 3:error:*s
networking/v1.IngressRule 1:host:s 2::~mnetworking/v1.IngressRuleValue
networking/v1.IngressRuleValue 1:http:*mnetworking/v1.HTTPIngressRuleValue
networking/v1.IngressServiceBackend 1:name:s 2:port:mnetworking/v1.ServiceBackendPort
networking/v1.IngressSpec 4:ingressClassName:*s 1:defaultBackend:*mnetworking/v1.IngressBackend 2:tls:[mnetworking/v1.IngressTLS 3:rules:[mnetworking/v1.IngressRule
networking/v1.IngressStatus 1:loadBalancer:mnetworking/v1.IngressLoadBalancerStatus
networking/v1.IngressTLS 1:hosts:[s 2:secretName:s
networking/v1.NetworkPolicy 1:metadata:mmeta/v1.ObjectMeta 2:spec:mnetworking/v1.NetworkPolicySpec
networking/v1.NetworkPolicyEgressRule 1:ports:[mnetworking/v1.NetworkPolicyPort 2:to:[mnetworking/v1.NetworkPolicyPeer
networking/v1.NetworkPolicyIngressRule 1:ports:[mnetworking/v1.NetworkPolicyPort 2:from:[mnetworking/v1.NetworkPolicyPeer
networking/v1.NetworkPolicyPeer 1:podSelector:*mmeta/v1.LabelSelector 2:namespaceSelector:*mmeta/v1.LabelSelector 3:ipBlock:*mnetworking/v1.IPBlock
networking/v1.NetworkPolicyPort 1:protocol:*s 2:port:*o 3:endPort:*i
networking/v1.NetworkPolicySpec 1:podSelector:mmeta/v1.LabelSelector 2:ingress:[mnetworking/v1.NetworkPolicyIngressRule 3:egress:[mnetworking/v1.NetworkPolicyEgressRule 4:policyTypes:[s
networking/v1.ServiceBackendPort 1:name:s 2:number:i
node/v1.Overhead 1:podFixed:Mq
node/v1.RuntimeClass 1:metadata:mmeta/v1.ObjectMeta 2:handler:s 3:overhead:*mnode/v1.Overhead 4:scheduling:*mnode/v1.Scheduling
node/v1.Scheduling 1:nodeSelector:Ms 2:tolerations:[mcore/v1.Toleration
policy/v1.Eviction 1:metadata:mmeta/v1.ObjectMeta 2:deleteOptions:*mmeta/v1.DeleteOptions
policy/v1.PodDisruptionBudget 1:metadata:mmeta/v1.ObjectMeta 2:spec:mpolicy/v1.PodDisruptionBudgetSpec 3:status:mpolicy/v1.PodDisruptionBudgetStatus
policy/v1.PodDisruptionBudgetSpec 1:minAvailable:*o 2:selector:*mmeta/v1.LabelSelector 3:maxUnavailable:*o 4:unhealthyPodEvictionPolicy:*s
policy/v1.PodDisruptionBudgetStatus 1:observedGeneration:i 2:disruptedPods:Mt 3:disruptionsAllowed:i 4:currentHealthy:i 5:desiredHealthy:i 6:expectedPods:i 7:conditions:[mmeta/v1.Condition
rbac/v1.AggregationRule 1:clusterRoleSelectors:[mmeta/v1.LabelSelector
rbac/v1.ClusterRole 1:metadata:mmeta/v1.ObjectMeta 2:rules:[mrbac/v1.PolicyRule 3:aggregationRule:*mrbac/v1.AggregationRule
rbac/v1.ClusterRoleBinding 1:metadata:mmeta/v1.ObjectMeta 2:subjects:[mrbac/v1.Subject 3:roleRef:mrbac/v1.RoleRef
rbac/v1.PolicyRule 1:verbs:[s 2:apiGroups:[s 3:resources:[s 4:resourceNames:[s 5:nonResourceURLs:[s
rbac/v1.Role 1:metadata:mmeta/v1.ObjectMeta 2:rules:[mrbac/v1.PolicyRule
rbac/v1.RoleBinding 1:metadata:mmeta/v1.ObjectMeta 2:subjects:[mrbac/v1.Subject 3:roleRef:mrbac/v1.RoleRef
rbac/v1.RoleRef 1:apiGroup:s 2:kind:s 3:name:s
rbac/v1.Subject 1:kind:s 2:apiGroup:s 3:name:s 4:namespace:s
scheduling/v1.PriorityClass 1:metadata:mmeta/v1.ObjectMeta 2:value:i 3:globalDefault:b 4:description:s 5:preemptionPolicy:*s
storage/v1.StorageClass 1:metadata:mmeta/v1.ObjectMeta 2:provisioner:s 3:parameters:Ms 4:reclaimPolicy:*s 5:mountOptions:[s 6:allowVolumeExpansion:*b 7:volumeBindingMode:*s 8:allowedTopologies:[mcore/v1.TopologySelectorTerm
`
