; tick: a 512-byte guest that counts aloud, so that a test can see whether it ever stopped, went back or ran twice.
; Assembled with: nasm -f bin tick.asm -o tick.bin
; PIT at HZ; IRQ0 increments a counter in RAM; every PRINT_EVERY ticks prints "%08x\n" on COM1; each tick dirties `rate` 4K pages of a
; working set of `ws` pages starting at 1 MiB (addr32 accesses, "unreal" mode).   Patchable words at the end of the sector (see below).
; Run-time control: keyboard polled -> virsh send-key DOM KEY_0 => rate 0, KEY_1 => 1 page/tick, KEY_2 => 2, KEY_3 => 4 ... KEY_9 => 256; KEY_F => full speed (no hlt)
bits 16
org 0x7c00
%define HZ 100
start:  cli
        xor ax,ax
        mov ds,ax
        mov es,ax
        mov ss,ax
        mov sp,0x7000
        in al,0x92              ; A20
        or al,2
        out 0x92,al
        lgdt [gdtr]
        mov eax,cr0
        inc ax
        mov cr0,eax
        mov bx,8
        mov fs,bx
        dec ax
        mov cr0,eax             ; unreal: fs has a 4 GiB limit
        xor bx,bx
        mov fs,bx
        mov word [8*4],irq0
        mov word [8*4+2],ax
        mov word [8*4+2],0
        mov al,0x34
        out 0x43,al
        mov ax,1193182/HZ
        out 0x40,al
        mov al,ah
        out 0x40,al
        mov al,0xfe             ; only IRQ0
        out 0x21,al
        mov al,0xff
        out 0xa1,al
        xor eax,eax
        mov [cnt],eax
        mov [last],eax
        mov [pos],eax
        mov si,hello
.h:     lodsb
        call putc
        cmp al,10
        jne .h
; touch the whole working set once so that it is not all zero pages
        mov ecx,[ws]
        mov edi,0x100000
        jecxz .nt
.t:     mov [fs:edi],edi
        mov [fs:edi+2048],ecx
        add edi,4096
        dec ecx
        jnz .t
.nt:    mov al,'R'              ; "R" = ready
        call putc
        mov al,10
        call putc
        sti
main:   cmp word [rate],0xffff
        je .busy
        hlt
.busy:  in al,0x64
        test al,1
        jz .nokey
        in al,0x60
        cmp al,0x21             ; 'f'
        jne .k1
        mov word [rate],0xffff
.k1:    cmp al,0x0b             ; '0'
        jne .k2
        mov word [rate],0
.k2:    cmp al,10
        ja .nokey
        mov cl,al
        sub cl,2
        js .nokey
        mov ax,1
        shl ax,cl
        mov [rate],ax
.nokey: movzx ecx,word [rate]
        jecxz .nodirty
        mov edx,[ws]
        test edx,edx
        jz .nodirty
        mov edi,[pos]
.d:     mov eax,edi
        shl eax,12
        add eax,0x100000
        inc dword [fs:eax+8]
        inc edi
        cmp edi,edx
        jb .nw
        xor edi,edi
.nw:    dec ecx
        jnz .d
        mov [pos],edi
.nodirty:
        mov eax,[cnt]
        mov ebx,eax
        sub ebx,[last]
        cmp bx,[every]
        jb main
        mov [last],eax
        mov cx,8
.p:     rol eax,4
        push ax
        and al,15
        cmp al,10
        sbb al,0x69
        das
        call putc
        pop ax
        loop .p
        mov al,10
        call putc
        jmp main
putc:   mov dx,0x3f8
        out dx,al
        ret
irq0:   inc dword [cs:cnt]
        push ax
        mov al,0x20
        out 0x20,al
        pop ax
        iret
hello:  db 'tick boot',10
align 4
gdt:    dq 0
        dq 0x00cf92000000ffff
gdtr:   dw 15
        dd gdt
        times 0x1b0-($-$$) db 0
ws:     dd 0                    ; 0x1b0: working set, pages
rate:   dw 0                    ; 0x1b4: pages dirtied per wake-up (100/s); 0xffff: spin
every:  dw 100                  ; 0x1b6: ticks per printed line
cnt     equ 0x7e00
last    equ 0x7e04
pos     equ 0x7e08
        times 510-($-$$) db 0
        dw 0xaa55
