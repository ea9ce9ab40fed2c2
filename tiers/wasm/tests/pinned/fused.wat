;; 525 bytes, 224 instructions
(module
  (type (;0;) (func (param i32 i64) (result i64 i64)))
  (type (;1;) (func (param i32 i64 i64 i64) (result i64)))
  (type (;2;) (func (param i32 i32 i64 i32) (result i64)))
  (import "friscy" "memory" (memory (;0;) 0))
  (import "friscy" "table" (table (;0;) 0 funcref))
  (import "friscy" "float" (func (;0;) (type 1)))
  (elem (;0;) (i32.const 2) func 1)
  (func (;1;) (type 0) (param i32 i64) (result i64 i64)
    (local i64 f64 f64 f64 f64 f64 f64 f64 f64 f64 f64 i64 i64)
    block ;; label = @1
      br 0 (;@1;)
    end
    i64.const -27021597764222976
    i64.const 0
    i32.const 0
    i32.load offset=67600
    i32.const 1
    i32.and
    select
    local.set 2
    i32.const 0
    f64.load offset=65872
    local.set 3
    i32.const 0
    f64.load offset=65880
    local.set 4
    i32.const 0
    f64.load offset=65888
    local.set 5
    local.get 3
    f64x2.splat
    local.get 4
    f64x2.splat
    local.get 5
    f64x2.splat
    f64x2.relaxed_madd
    f64x2.extract_lane 0
    local.set 6
    local.get 6
    i64.reinterpret_f64
    i64.const 1
    i64.shl
    i64.const 18014398509481984
    i64.sub
    local.get 2
    i64.ge_u
    (@metadata.code.branch_hint "\00")
    if ;; label = @1
      block ;; label = @2
        local.get 3
        local.get 4
        local.get 5
        local.set 9
        local.set 8
        local.set 7
        local.get 6
        local.get 9
        f64.sub
        local.set 10
        block ;; label = @3
          local.get 10
          i64.reinterpret_f64
          i64.const 32
          i64.shr_u
          i32.wrap_i64
          i32.const 1
          i32.shl
          i32.const 257949696
          i32.sub
          i32.const -260046848
          i32.ge_u
          br_if 0 (;@3;)
          local.get 7
          f64x2.splat
          local.get 8
          f64x2.splat
          local.get 10
          f64x2.splat
          f64x2.relaxed_nmadd
          f64x2.extract_lane 0
          f64.const 0x0p+0 (;=0;)
          f64.ne
          br_if 1 (;@2;)
          local.get 6
          local.get 10
          f64.sub
          local.get 9
          f64.ne
          br_if 1 (;@2;)
          br 2 (;@1;)
        end
        local.get 10
        f64.const 0x0p+0 (;=0;)
        f64.ne
        br_if 0 (;@2;)
        local.get 7
        f64.const 0x0p+0 (;=0;)
        f64.eq
        local.get 8
        f64.const 0x0p+0 (;=0;)
        f64.eq
        i32.or
        i32.eqz
        br_if 0 (;@2;)
        local.get 6
        local.get 6
        f64.sub
        f64.const 0x0p+0 (;=0;)
        f64.ne
        br_if 0 (;@2;)
        br 1 (;@1;)
      end
      i32.const 127
      local.get 3
      i64.reinterpret_f64
      local.get 4
      i64.reinterpret_f64
      local.get 5
      i64.reinterpret_f64
      call 0
      f64.reinterpret_i64
      local.set 6
      i64.const -27021597764222976
      i64.const 0
      i32.const 0
      i32.load offset=67600
      i32.const 1
      i32.and
      select
      local.set 2
    end
    local.get 6
    local.get 4
    f64.div
    local.set 7
    local.get 7
    i64.reinterpret_f64
    i64.const 1
    i64.shl
    i64.const 18014398509481984
    i64.sub
    local.get 2
    i64.ge_u
    (@metadata.code.branch_hint "\00")
    if ;; label = @1
      block ;; label = @2
        local.get 6
        local.get 4
        local.set 11
        local.set 12
        local.get 7
        i64.reinterpret_f64
        i64.const 32
        i64.shr_u
        i32.wrap_i64
        i32.const 1
        i32.shl
        i32.const 257949696
        i32.sub
        i32.const -260046848
        i32.ge_u
        br_if 0 (;@2;)
        local.get 12
        i64.reinterpret_f64
        i64.const 32
        i64.shr_u
        i32.wrap_i64
        i32.const 1
        i32.shl
        i32.const 257949696
        i32.sub
        i32.const -260046848
        i32.ge_u
        br_if 0 (;@2;)
        local.get 7
        f64x2.splat
        local.get 11
        f64x2.splat
        local.get 12
        f64x2.splat
        f64x2.relaxed_nmadd
        f64x2.extract_lane 0
        f64.const 0x0p+0 (;=0;)
        f64.ne
        br_if 0 (;@2;)
        br 1 (;@1;)
      end
      i32.const 125
      local.get 6
      i64.reinterpret_f64
      local.get 4
      i64.reinterpret_f64
      i64.const 0
      call 0
      f64.reinterpret_i64
      local.set 7
      i64.const -27021597764222976
      i64.const 0
      i32.const 0
      i32.load offset=67600
      i32.const 1
      i32.and
      select
      local.set 2
    end
    i32.const 0
    i64.load offset=65544
    local.set 13
    local.get 13
    i64.const -2
    i64.and
    local.set 14
    i32.const 0
    local.get 7
    f64.store offset=65872
    local.get 1
    i64.const 3
    i64.sub
    local.set 1
    local.get 1
    i64.const 0
    i64.le_s
    (@metadata.code.branch_hint "\00")
    if ;; label = @1
      i32.const 0
      local.get 14
      i64.store offset=67584
      i64.const 3
      local.get 1
      return
    end
    local.get 14
    local.get 1
    return
    unreachable
  )
)
