"""The GraphQL documents. Each asks for no more than is read."""

RUN_FIELDS = "runId jobName status creationTime startTime endTime runConfig tags { key value }"

METADATA_FIELDS = """
metadataEntries {
  __typename label
  ... on IntMetadataEntry { intRepr }
  ... on FloatMetadataEntry { floatRepr }
  ... on BoolMetadataEntry { boolValue }
  ... on TextMetadataEntry { text }
  ... on MarkdownMetadataEntry { mdStr }
  ... on JsonMetadataEntry { jsonString }
  ... on PathMetadataEntry { path }
  ... on UrlMetadataEntry { url }
  ... on TimestampMetadataEntry { timestamp }
  ... on PipelineRunMetadataEntry { runId }
}
"""

WORKSPACE = """
query Workspace {
  workspaceOrError {
    __typename
    ... on Workspace {
      locationEntries {
        name
        locationOrLoadError {
          __typename
          ... on PythonError { message }
          ... on RepositoryLocation {
            repositories {
              name
              jobs { name description }
              partitionSets { pipelineName }
              assetNodes { assetKey { path } partitionDefinition { name } }
            }
          }
        }
      }
    }
    ... on PythonError { message }
  }
}
"""

PARTITION_KEYS = """
query PartitionKeys($asset: AssetKeyInput!) {
  assetNodeOrError(assetKey: $asset) { __typename ... on AssetNode { partitionKeys } ... on Error { message } }
}
"""

VALIDATE = """
query Validate($job: PipelineSelector!, $config: RunConfigData) {
  isPipelineConfigValid(pipeline: $job, mode: "default", runConfigData: $config) {
    __typename
    ... on RunConfigValidationInvalid { errors { message } }
    ... on Error { message }
  }
}
"""

LAUNCH = f"""
mutation Launch($params: ExecutionParams!) {{
  launchRun(executionParams: $params) {{
    __typename
    ... on LaunchRunSuccess {{ run {{ {RUN_FIELDS} }} }}
    ... on RunConfigValidationInvalid {{ errors {{ message }} }}
    ... on Error {{ message }}
  }}
}}
"""

RUNS = f"""
query Runs($filter: RunsFilter!) {{
  runsOrError(filter: $filter) {{
    __typename ... on Runs {{ results {{ {RUN_FIELDS} }} }} ... on Error {{ message }}
  }}
}}
"""

RUN = f"""
query Run($id: ID!) {{
  runOrError(runId: $id) {{ __typename ... on Run {{ {RUN_FIELDS} }} ... on Error {{ message }} }}
}}
"""

EVENTS = f"""
query Events($id: ID!, $after: String) {{
  logsForRun(runId: $id, afterCursor: $after, limit: 1000) {{
    __typename
    ... on EventConnection {{
      cursor
      hasMore
      events {{
        __typename
        ... on MessageEvent {{ message timestamp stepKey }}
        ... on MaterializationEvent {{ assetKey {{ path }} partition {METADATA_FIELDS} }}
        ... on AssetCheckEvaluationEvent {{
          evaluation {{
            checkName success severity description partition assetKey {{ path }} {METADATA_FIELDS}
          }}
        }}
        ... on ExecutionStepFailureEvent {{
          failureMetadata {{ description }}
          error {{ className message causes {{ className message }} }}
        }}
        ... on RunFailureEvent {{ error {{ className message }} }}
      }}
    }}
    ... on Error {{ message }}
  }}
}}
"""

CANCEL = """
mutation Cancel($id: String!) {
  terminateRun(runId: $id, terminatePolicy: SAFE_TERMINATE) {
    __typename ... on TerminateRunFailure { message } ... on Error { message }
  }
}
"""
