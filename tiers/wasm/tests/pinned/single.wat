;; 538 bytes, 239 instructions
(module
  (type (;0;) (func (param i32 i64) (result i64 i64)))
  (type (;1;) (func (param i32 i64 i64 i64) (result i64)))
  (type (;2;) (func (param i32 i32 i64 i32) (result i64)))
  (import "friscy" "memory" (memory (;0;) 0))
  (import "friscy" "table" (table (;0;) 0 funcref))
  (import "friscy" "float" (func (;0;) (type 1)))
  (elem (;0;) (i32.const 2) func 1)
  (func (;1;) (type 0) (param i32 i64) (result i64 i64)
    (local i32 i64 i64 i64 f64 f32 i64 i32 f32 f32 i64 f32 f32 f64 f64)
    block ;; label = @1
      br 0 (;@1;)
    end
    block ;; label = @1
      i32.const -16777216
      i32.const 0
      i32.const 0
      i32.load offset=67600
      i32.const 1
      i32.and
      select
      local.set 2
      i32.const 0
      i64.load offset=65544
      local.set 3
      i32.const 0
      i64.load offset=65616
      local.set 4
      i32.const 0
      i64.load offset=65624
      local.set 5
      i32.const 0
      f64.load offset=65872
      local.set 6
      local.get 6
      i64.reinterpret_f64
      i64.const 32
      i64.shr_s
      i64.const -1
      i64.ne
      (@metadata.code.branch_hint "\00")
      if ;; label = @2
        i32.const 0
        i64.const 65536
        i64.store offset=67584
        i64.const 5
        local.get 1
        return
      end
      local.get 4
      local.get 6
      i64.reinterpret_f64
      i32.wrap_i64
      f32.reinterpret_i32
      local.set 7
      local.set 8
      br 0 (;@1;)
    end
    block ;; label = @1
      loop ;; label = @2
        block ;; label = @3
          local.get 8
          i32.wrap_i64
          local.tee 9
          i32.const 12
          i32.shr_u
          i32.load8_u offset=1048576
          i32.const 33
          i32.and
          i32.const 1
          i32.ne
          (@metadata.code.branch_hint "\00")
          br_if 0 (;@3;)
          local.get 9
          i32.const 3
          i32.and
          (@metadata.code.branch_hint "\00")
          if ;; label = @4
            local.get 9
            i32.const 3
            i32.add
            i32.const 12
            i32.shr_u
            i32.load8_u offset=1048576
            i32.const 33
            i32.and
            i32.const 1
            i32.ne
            (@metadata.code.branch_hint "\00")
            br_if 1 (;@3;)
          end
          local.get 8
          i32.wrap_i64
          f32.load offset=268435456 align=1
          local.set 10
          local.get 7
          local.get 10
          f32.add
          local.set 11
          local.get 8
          i64.const 4
          i64.add
          local.set 12
          local.get 11
          i32.reinterpret_f32
          i32.const 1
          i32.shl
          local.get 2
          i32.ge_u
          (@metadata.code.branch_hint "\00")
          if ;; label = @4
            block ;; label = @5
              local.get 7
              local.get 10
              local.set 14
              local.set 13
              local.get 11
              local.get 13
              f32.sub
              local.get 14
              f32.ne
              br_if 0 (;@5;)
              local.get 11
              local.get 14
              f32.sub
              local.get 13
              f32.ne
              br_if 0 (;@5;)
              br 1 (;@4;)
            end
            i32.const 104
            local.get 7
            i32.reinterpret_f32
            i64.extend_i32_u
            local.get 10
            i32.reinterpret_f32
            i64.extend_i32_u
            i64.const 0
            call 0
            i32.wrap_i64
            f32.reinterpret_i32
            local.set 11
            i32.const -16777216
            i32.const 0
            i32.const 0
            i32.load offset=67600
            i32.const 1
            i32.and
            select
            local.set 2
          end
          local.get 12
          local.get 5
          i64.eq
          br_if 2 (;@1;)
          local.get 1
          i64.const 4
          i64.sub
          local.set 1
          local.get 1
          i64.const 0
          i64.le_s
          (@metadata.code.branch_hint "\00")
          if ;; label = @4
            i32.const 0
            local.get 12
            i64.store offset=65616
            i32.const 0
            local.get 11
            f32.store offset=65872
            i32.const 0
            i32.const -1
            i32.store offset=65876
            i32.const 0
            local.get 10
            f32.store offset=65912
            i32.const 0
            i32.const -1
            i32.store offset=65916
            i32.const 0
            i64.const 65536
            i64.store offset=67584
            i64.const 3
            local.get 1
            return
          end
          i32.const 0
          local.get 10
          f32.store offset=65912
          i32.const 0
          i32.const -1
          i32.store offset=65916
          local.get 12
          local.get 11
          local.set 7
          local.set 8
          br 1 (;@2;)
        end
        i32.const 0
        local.get 8
        i64.store offset=65616
        i32.const 0
        local.get 7
        f32.store offset=65872
        i32.const 0
        i32.const -1
        i32.store offset=65876
        i32.const 0
        i64.const 65536
        i64.store offset=67584
        i64.const 5
        local.get 1
        return
        unreachable
      end
    end
    local.get 3
    i64.const -2
    i64.and
    local.set 4
    i32.const 0
    local.get 12
    i64.store offset=65616
    i32.const 0
    local.get 11
    f32.store offset=65872
    i32.const 0
    i32.const -1
    i32.store offset=65876
    i32.const 0
    local.get 10
    f32.store offset=65912
    i32.const 0
    i32.const -1
    i32.store offset=65916
    local.get 1
    i64.const 5
    i64.sub
    local.set 1
    local.get 1
    i64.const 0
    i64.le_s
    (@metadata.code.branch_hint "\00")
    if ;; label = @1
      i32.const 0
      local.get 4
      i64.store offset=67584
      i64.const 3
      local.get 1
      return
    end
    local.get 4
    local.get 1
    return
    unreachable
  )
)
