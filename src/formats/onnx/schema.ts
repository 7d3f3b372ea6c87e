import protobuf from 'protobufjs';

/**
 * The messages of an ONNX file: names and numbers of the fields as in the ONNX specification
 * (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, IR version 11).
 *
 * Two deviations, both the same bytes on the wire:
 * - the packed fields of TensorProto (float_data and the like) are read as bytes, one entry per packed run, so that
 *   a weight stays a view on the file instead of becoming an array of numbers;
 * - FunctionProto (ModelProto 25), TrainingInfoProto (ModelProto 20) and TensorAnnotation (GraphProto 14) are carried
 *   as bytes: what is not decoded cannot be lost on the way out. functions.ts decodes the functions that are called.
 */
const onnx = protobuf.Root.fromJSON({
  nested: {
    ModelProto: {
      fields: {
        ir_version: { id: 1, type: 'int64' },
        producer_name: { id: 2, type: 'string' },
        producer_version: { id: 3, type: 'string' },
        domain: { id: 4, type: 'string' },
        model_version: { id: 5, type: 'int64' },
        doc_string: { id: 6, type: 'string' },
        graph: { id: 7, type: 'GraphProto' },
        opset_import: { id: 8, type: 'OperatorSetIdProto', rule: 'repeated' },
        metadata_props: { id: 14, type: 'StringStringEntryProto', rule: 'repeated' },
        training_info: { id: 20, type: 'bytes', rule: 'repeated' },
        functions: { id: 25, type: 'bytes', rule: 'repeated' },
      },
    },
    FunctionProto: {
      fields: {
        name: { id: 1, type: 'string' },
        input: { id: 4, type: 'string', rule: 'repeated' },
        output: { id: 5, type: 'string', rule: 'repeated' },
        attribute: { id: 6, type: 'string', rule: 'repeated' },
        node: { id: 7, type: 'NodeProto', rule: 'repeated' },
        opset_import: { id: 9, type: 'OperatorSetIdProto', rule: 'repeated' },
        domain: { id: 10, type: 'string' },
        attribute_proto: { id: 11, type: 'AttributeProto', rule: 'repeated' },
        overload: { id: 13, type: 'string' },
      },
    },
    OperatorSetIdProto: {
      fields: { domain: { id: 1, type: 'string' }, version: { id: 2, type: 'int64' } },
    },
    StringStringEntryProto: {
      fields: { key: { id: 1, type: 'string' }, value: { id: 2, type: 'string' } },
    },
    GraphProto: {
      fields: {
        node: { id: 1, type: 'NodeProto', rule: 'repeated' },
        name: { id: 2, type: 'string' },
        initializer: { id: 5, type: 'TensorProto', rule: 'repeated' },
        doc_string: { id: 10, type: 'string' },
        input: { id: 11, type: 'ValueInfoProto', rule: 'repeated' },
        output: { id: 12, type: 'ValueInfoProto', rule: 'repeated' },
        quantization_annotation: { id: 14, type: 'bytes', rule: 'repeated' },
        sparse_initializer: { id: 15, type: 'SparseTensorProto', rule: 'repeated' },
        metadata_props: { id: 16, type: 'StringStringEntryProto', rule: 'repeated' },
      },
    },
    NodeProto: {
      fields: {
        input: { id: 1, type: 'string', rule: 'repeated' },
        output: { id: 2, type: 'string', rule: 'repeated' },
        name: { id: 3, type: 'string' },
        op_type: { id: 4, type: 'string' },
        attribute: { id: 5, type: 'AttributeProto', rule: 'repeated' },
        doc_string: { id: 6, type: 'string' },
        domain: { id: 7, type: 'string' },
        overload: { id: 8, type: 'string' },
        metadata_props: { id: 9, type: 'StringStringEntryProto', rule: 'repeated' },
      },
    },
    AttributeProto: {
      fields: {
        name: { id: 1, type: 'string' },
        f: { id: 2, type: 'float' },
        i: { id: 3, type: 'int64' },
        s: { id: 4, type: 'bytes' },
        t: { id: 5, type: 'TensorProto' },
        g: { id: 6, type: 'GraphProto' },
        floats: { id: 7, type: 'float', rule: 'repeated' },
        ints: { id: 8, type: 'int64', rule: 'repeated' },
        strings: { id: 9, type: 'bytes', rule: 'repeated' },
        doc_string: { id: 13, type: 'string' },
        type: { id: 20, type: 'int32' },
        ref_attr_name: { id: 21, type: 'string' },
        sparse_tensor: { id: 22, type: 'SparseTensorProto' },
      },
    },
    TensorProto: {
      fields: {
        dims: { id: 1, type: 'int64', rule: 'repeated' },
        data_type: { id: 2, type: 'int32' },
        segment: { id: 3, type: 'Segment' },
        float_data: { id: 4, type: 'bytes', rule: 'repeated' },
        int32_data: { id: 5, type: 'bytes', rule: 'repeated' },
        int64_data: { id: 7, type: 'bytes', rule: 'repeated' },
        name: { id: 8, type: 'string' },
        raw_data: { id: 9, type: 'bytes' },
        double_data: { id: 10, type: 'bytes', rule: 'repeated' },
        uint64_data: { id: 11, type: 'bytes', rule: 'repeated' },
        doc_string: { id: 12, type: 'string' },
        external_data: { id: 13, type: 'StringStringEntryProto', rule: 'repeated' },
        data_location: { id: 14, type: 'int32' },
        metadata_props: { id: 16, type: 'StringStringEntryProto', rule: 'repeated' },
      },
      nested: {
        Segment: { fields: { begin: { id: 1, type: 'int64' }, end: { id: 2, type: 'int64' } } },
      },
    },
    SparseTensorProto: {
      fields: {
        values: { id: 1, type: 'TensorProto' },
        indices: { id: 2, type: 'TensorProto' },
        dims: { id: 3, type: 'int64', rule: 'repeated' },
      },
    },
    ValueInfoProto: {
      fields: {
        name: { id: 1, type: 'string' },
        type: { id: 2, type: 'TypeProto' },
        doc_string: { id: 3, type: 'string' },
        metadata_props: { id: 4, type: 'StringStringEntryProto', rule: 'repeated' },
      },
    },
    TypeProto: {
      fields: { tensor_type: { id: 1, type: 'Tensor' }, denotation: { id: 6, type: 'string' } },
      nested: {
        Tensor: {
          fields: { elem_type: { id: 1, type: 'int32' }, shape: { id: 2, type: 'TensorShapeProto' } },
        },
      },
    },
    TensorShapeProto: {
      fields: { dim: { id: 1, type: 'Dimension', rule: 'repeated' } },
      nested: {
        Dimension: {
          // Declared, so that a dim_value of 0 is written: fields outside a oneof are left out when they are 0.
          oneofs: { value: { oneof: ['dim_value', 'dim_param'] } },
          fields: {
            dim_value: { id: 1, type: 'int64' },
            dim_param: { id: 2, type: 'string' },
            denotation: { id: 3, type: 'string' },
          },
        },
      },
    },
  },
});

export const modelType = onnx.lookupType('ModelProto');
export const functionType = onnx.lookupType('FunctionProto');

/** A 64-bit integer as protobufjs decodes it: two halves of 32 bits. */
export interface WireInt64 {
  readonly low: number;
  readonly high: number;
  readonly unsigned?: boolean;
}

export interface StringEntryProto {
  key?: string;
  value?: string;
}

export interface ModelProto {
  ir_version?: WireInt64;
  producer_name?: string;
  producer_version?: string;
  domain?: string;
  model_version?: WireInt64;
  doc_string?: string;
  graph?: GraphProto;
  opset_import?: { domain?: string; version?: WireInt64 }[];
  metadata_props?: StringEntryProto[];
  training_info?: Uint8Array[];
  functions?: Uint8Array[];
}

export interface FunctionProto {
  name?: string;
  input?: string[];
  output?: string[];
  /** Attributes without a default. */
  attribute?: string[];
  node?: NodeProto[];
  opset_import?: { domain?: string; version?: WireInt64 }[];
  domain?: string;
  /** Attributes with their defaults. */
  attribute_proto?: AttributeProto[];
  overload?: string;
}

export interface GraphProto {
  node?: NodeProto[];
  name?: string;
  initializer?: TensorProto[];
  doc_string?: string;
  input?: ValueInfoProto[];
  output?: ValueInfoProto[];
  quantization_annotation?: Uint8Array[];
  sparse_initializer?: SparseTensorProto[];
  metadata_props?: StringEntryProto[];
}

export interface NodeProto {
  input?: string[];
  output?: string[];
  name?: string;
  op_type?: string;
  attribute?: AttributeProto[];
  doc_string?: string;
  domain?: string;
  overload?: string;
  metadata_props?: StringEntryProto[];
}

export interface AttributeProto {
  name?: string;
  f?: number;
  i?: WireInt64;
  s?: Uint8Array;
  t?: TensorProto;
  g?: GraphProto;
  floats?: number[];
  ints?: WireInt64[];
  strings?: Uint8Array[];
  doc_string?: string;
  type?: number;
  ref_attr_name?: string;
  sparse_tensor?: SparseTensorProto;
}

export interface TensorProto {
  dims?: WireInt64[];
  data_type?: number;
  segment?: object;
  float_data?: Uint8Array[];
  int32_data?: Uint8Array[];
  int64_data?: Uint8Array[];
  name?: string;
  raw_data?: Uint8Array;
  double_data?: Uint8Array[];
  uint64_data?: Uint8Array[];
  doc_string?: string;
  external_data?: StringEntryProto[];
  data_location?: number;
  metadata_props?: StringEntryProto[];
}

export interface SparseTensorProto {
  values?: TensorProto;
  indices?: TensorProto;
  dims?: WireInt64[];
}

export interface DimensionProto {
  dim_value?: WireInt64;
  dim_param?: string;
  denotation?: string;
}

export interface ValueInfoProto {
  name?: string;
  type?: {
    tensor_type?: { elem_type?: number; shape?: { dim?: DimensionProto[] } };
    denotation?: string;
  };
  doc_string?: string;
  metadata_props?: StringEntryProto[];
}
